//===- Compiler/Inspection.cpp - Stages to files and back -----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Inspection.h.
//
//===----------------------------------------------------------------------===//

#include "Compiler/Inspection.h"
#include "Compiler/RequestKey.h"
#include "Support/Environment.h"
#include "Support/Files.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <atomic>

using namespace nibble;

static std::string joined(llvm::StringRef folder, const llvm::Twine &name) {
  llvm::SmallString<128> path(folder);
  llvm::sys::path::append(path, name);
  return path.str().str();
}

static std::string fileOf(llvm::StringRef folder, std::string_view stage) {
  const char *ending = llvm::StringSwitch<const char *>(stage)
                           .Cases({"llvm", "optimise"}, ".ll")
                           .Case("ptx", ".ptx")
                           .Case("asm", ".s")
                           .Default(".mlir");
  return joined(folder, llvm::StringRef(stage) + ending);
}

/// Says once what of NIBBLE_DUMP and NIBBLE_OVERRIDE is not understood.
static void checkEnvironment() {
  [[maybe_unused]] static const bool once = [] {
    for (const std::string &name : environment().dumpStages) {
      bool known = name == "all";
      for (const char *target : {"host", "sm_80"})
        for (const auto &stage : stageNames(target))
          known |= stage.first == name;
      if (!known)
        log(LogLevel::Warning,
            "NIBBLE_DUMP has '" + name +
                "', which is neither a stage (nibble compile --help lists "
                "them) nor all; it is ignored");
    }
    const std::string &overrides = environment().overrideFolder;
    if (!overrides.empty() && !llvm::sys::fs::is_directory(overrides))
      log(LogLevel::Warning, "NIBBLE_OVERRIDE is '" + overrides +
                                 "', expected a folder; it is ignored");
    return true;
  }();
}

Inspection::Inspection(const CompileRequest &request) {
  const Environment &asked = environment();
  if (asked.dumpStages.empty() && asked.overrideFolder.empty())
    return;
  checkEnvironment();
  // The compiler's build is no part of the name: an edited stage stays good
  // while nibble is worked on.
  Result<std::string> digest = requestDigest(request, /*compiler=*/"");
  if (!digest.ok())
    return;
  std::string name = (request.kernel.empty() ? "kernel" : request.kernel) +
                     "-" + digest->substr(0, 16);
  if (!asked.dumpStages.empty())
    dumpFolder = joined(asked.dumpFolder, name);
  std::string overrides = joined(asked.overrideFolder, name);
  if (!asked.overrideFolder.empty() && llvm::sys::fs::is_directory(overrides))
    overrideFolder = overrides;
}

bool Inspection::dumps(std::string_view stage) const {
  return !dumpFolder.empty() &&
         llvm::any_of(environment().dumpStages, [&](const std::string &name) {
           return name == stage || name == "all";
         });
}

void Inspection::dump(std::string_view stage, std::string_view text) const {
  std::string path = fileOf(dumpFolder, stage);
  std::error_code error = llvm::sys::fs::create_directories(dumpFolder);
  Status status =
      error ? Status(ErrorCode::IoError,
                     "cannot make '" + dumpFolder + "': " + error.message())
            : writeFile(path, {text});
  if (status.ok())
    log(LogLevel::Info, "stage " + llvm::StringRef(stage) + " is in " + path);
  else if (static std::atomic<bool> said = false; !said.exchange(true))
    log(LogLevel::Warning, "NIBBLE_DUMP: " + status.message());
}

std::optional<Inspection::Override>
Inspection::findOverride(std::string_view stage) const {
  if (overrideFolder.empty())
    return std::nullopt;
  std::string path = fileOf(overrideFolder, stage);
  Result<std::string> text = readFile(path);
  if (!text.ok()) {
    if (text.status().code() != ErrorCode::NotFound)
      log(LogLevel::Warning, "NIBBLE_OVERRIDE: " + text.status().message());
    return std::nullopt;
  }
  log(LogLevel::Info,
      "stage " + llvm::StringRef(stage) + " is taken from " + path);
  return Override{path, std::move(*text)};
}

bool nibble::isInspected(const CompileRequest &request) {
  return Inspection(request).isActive();
}
