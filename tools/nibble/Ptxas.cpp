//===- nibble/Ptxas.cpp - CUDA's assembler, where there is one ------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Ptxas.h.
//
//===----------------------------------------------------------------------===//

#include "Ptxas.h"
#include "Support/Files.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/Program.h"

using namespace nibble;
using namespace nibble::tool;
using namespace llvm;

namespace {
/// A temporary file, gone with this object.
struct Scratch {
  explicit Scratch(const char *ending) : remover(path) {
    error = sys::fs::createTemporaryFile("nibble", ending, path);
    remover.setFile(path);
  }
  std::string str() const { return path.str().str(); }
  SmallString<128> path;
  FileRemover remover;
  std::error_code error;
};
} // namespace

/// What `program` prints, standard output and errors together.
static Result<std::string> outputOf(const std::string &program,
                                    ArrayRef<StringRef> arguments) {
  Scratch output("txt");
  std::string why = output.error.message();
  int code = output.error
                 ? -1
                 : sys::ExecuteAndWait(
                       program, arguments, std::nullopt,
                       {StringRef(""), output.path.str(), output.path.str()}, 0,
                       0, &why);
  if (code < 0)
    return Status(ErrorCode::IoError, "cannot run '" + program + "': " + why);
  Result<std::string> said = readFile(output.str());
  if (!said.ok() || code == 0)
    return said;
  return Status(ErrorCode::CompileError, "'" + program + "' ended with " +
                                             std::to_string(code) + ":\n" +
                                             *said);
}

Result<std::optional<Ptxas>> Ptxas::find(const std::string &path) {
  Ptxas found;
  found.path = path;
  if (path.empty()) {
    ErrorOr<std::string> onPath = sys::findProgramByName("ptxas");
    if (!onPath)
      return std::optional<Ptxas>();
    found.path = *onPath;
  }
  Result<std::string> said = outputOf(found.path, {found.path, "--version"});
  if (!said.ok())
    return said.status();
  // `Cuda compilation tools, release 13.0, V13.0.88`
  StringRef version = StringRef(*said).split("release ").second;
  version = version.split(", ").second.split('\n').first;
  if (version.empty())
    return Status(ErrorCode::Unsupported,
                  "'" + found.path +
                      "' does not tell its version as ptxas "
                      "does");
  found.name = ("ptxas " + version).str();
  return std::optional(found);
}

/// The number before `unit` in `text`; 0 if there is none.
static int numberBefore(StringRef text, StringRef unit) {
  StringRef before = text.take_front(text.find(unit)).rtrim();
  int number = 0;
  if (before.size() == text.size() ||
      before
          .take_back(before.size() - before.find_last_not_of("0123456789") - 1)
          .getAsInteger(10, number))
    return 0;
  return number;
}

Result<Ptxas::Assembled> Ptxas::assemble(const std::string &ptx,
                                         const std::string &target) const {
  Scratch source("ptx"), cubin("cubin");
  if (source.error || cubin.error)
    return Status(ErrorCode::IoError,
                  "cannot make a temporary file: " +
                      (source.error ? source.error : cubin.error).message());
  if (Status status = writeFile(source.str(), {ptx}); !status.ok())
    return status;
  std::string architecture = "-arch=" + target;
  Result<std::string> said =
      outputOf(path, {path, "-v", architecture, source.path.str(), "-o",
                      cubin.path.str()});
  if (!said.ok())
    return said.status();
  Result<std::string> bytes = readFile(cubin.str());
  if (!bytes.ok())
    return bytes.status();
  // `0 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads` and `Used
  // 56 registers, ...`
  return Assembled{std::move(*bytes), numberBefore(*said, "registers"),
                   numberBefore(*said, "bytes spill stores") +
                       numberBefore(*said, "bytes spill loads")};
}

Result<std::optional<std::string>> tool::disassemble(const std::string &cubin) {
  ErrorOr<std::string> program = sys::findProgramByName("nvdisasm");
  if (!program)
    return std::optional<std::string>();
  Scratch file("cubin");
  if (file.error)
    return Status(ErrorCode::IoError,
                  "cannot make a temporary file: " + file.error.message());
  if (Status status = writeFile(file.str(), {cubin}); !status.ok())
    return status;
  Result<std::string> text =
      outputOf(*program, {*program, "-c", file.path.str()});
  if (!text.ok())
    return text.status();
  return std::optional(std::move(*text));
}
