//===- Support/Environment.cpp - nibble's environment variables -----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Environment.h.
//
//===----------------------------------------------------------------------===//

#include "Support/Environment.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Path.h"
#include <cstdlib>

using namespace nibble;
using namespace llvm;

std::optional<uint64_t> nibble::readBytes(StringRef text) {
  unsigned shift = StringSwitch<unsigned>(text.take_back(1).upper())
                       .Case("K", 10)
                       .Case("M", 20)
                       .Case("G", 30)
                       .Default(0);
  uint64_t number;
  if (text.drop_back(shift != 0).getAsInteger(10, number) ||
      number > UINT64_MAX >> shift)
    return std::nullopt;
  return number << shift;
}

static std::vector<std::string> splitList(StringRef list, StringRef separator) {
  SmallVector<StringRef> words;
  SplitString(list, words, separator);
  return {words.begin(), words.end()};
}

Environment
Environment::read(function_ref<const char *(const char *name)> get) {
  Environment result;
  // A variable that is set to nothing counts as not set.
  auto value = [&](const char *name) {
    const char *text = get(name);
    return StringRef(text ? text : "");
  };
  auto refuse = [&](const char *name, const char *expected) {
    result.problems.push_back((Twine(name) + " is '" + value(name) +
                               "', expected " + expected + "; it is ignored")
                                  .str());
  };

  StringRef cache = value("NIBBLE_CACHE");
  if (!cache.empty() && cache != "on" && cache != "off")
    refuse("NIBBLE_CACHE", "on or off");
  SmallString<128> folder(value("NIBBLE_CACHE_DIR"));
  if (folder.empty() && !value("XDG_CACHE_HOME").empty()) {
    folder = value("XDG_CACHE_HOME");
    sys::path::append(folder, "nibble");
  }
  if (folder.empty() && !value("HOME").empty()) {
    folder = value("HOME");
    sys::path::append(folder, ".cache", "nibble");
  }
  if (cache != "off")
    result.cacheFolder = folder.str();

  if (StringRef size = value("NIBBLE_CACHE_SIZE"); !size.empty()) {
    if (std::optional<uint64_t> bytes = readBytes(size))
      result.cacheBytes = *bytes;
    else
      refuse("NIBBLE_CACHE_SIZE", "bytes such as 1048576, 100M or 2G");
  }
  result.kernelFiles = splitList(value("NIBBLE_KERNELS"), ":");
  result.dumpStages = splitList(value("NIBBLE_DUMP"), ", ");
  if (StringRef dump = value("NIBBLE_DUMP_DIR"); !dump.empty())
    result.dumpFolder = dump;
  result.overrideFolder = value("NIBBLE_OVERRIDE");

  StringRef prints = value("NIBBLE_PRINT_TUNING");
  if (!prints.empty() && prints != "0" && prints != "1")
    refuse("NIBBLE_PRINT_TUNING", "1 or 0");
  result.printsTuning = prints == "1";

  if (StringRef threads = value("NIBBLE_THREADS"); !threads.empty()) {
    constexpr unsigned most = 1024;
    unsigned number;
    if (!threads.getAsInteger(10, number) && number >= 1 && number <= most)
      result.threads = number;
    else
      refuse("NIBBLE_THREADS", "a number from 1 to 1024");
  }

  if (StringRef level = value("NIBBLE_LOG"); !level.empty()) {
    auto known = StringSwitch<std::optional<LogLevel>>(level)
                     .Case("off", LogLevel::Off)
                     .Case("warning", LogLevel::Warning)
                     .Case("info", LogLevel::Info)
                     .Case("debug", LogLevel::Debug)
                     .Default(std::nullopt);
    if (known)
      result.logLevel = *known;
    else
      refuse("NIBBLE_LOG", "off, warning, info or debug");
  }
  return result;
}

const Environment &nibble::environment() {
  static const Environment *shared = [] {
    auto *made = new Environment(
        Environment::read([](const char *name) { return getenv(name); }));
    // log() would ask for the environment that is being made.
    if (made->logLevel >= LogLevel::Warning)
      for (const std::string &problem : made->problems)
        writeLogLine(problem);
    return made;
  }();
  return *shared;
}
