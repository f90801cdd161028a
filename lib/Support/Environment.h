//===- Support/Environment.h - nibble's environment variables -------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The one place where nibble reads the environment. docs/environment.md is the
// manual of these variables.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_SUPPORT_ENVIRONMENT_H
#define NIBBLE_SUPPORT_ENVIRONMENT_H

#include "Support/Log.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nibble {

/// Bytes written as `1048576`, `512K`, `100M` or `2G`.
std::optional<uint64_t> readBytes(llvm::StringRef text);

/// What the environment asks for.
struct Environment {
  /// NIBBLE_CACHE_DIR, else XDG_CACHE_HOME/nibble, else ~/.cache/nibble. Empty
  /// with NIBBLE_CACHE=off and where there is no home: no cache on disk.
  std::string cacheFolder;
  /// NIBBLE_CACHE_SIZE: bytes that the cache may take on disk.
  uint64_t cacheBytes = uint64_t(1) << 30;
  /// NIBBLE_KERNELS: files of kernels, separated by colons.
  std::vector<std::string> kernelFiles;
  /// NIBBLE_DUMP: names of stages, separated by commas; `all` is all of them.
  std::vector<std::string> dumpStages;
  /// NIBBLE_DUMP_DIR.
  std::string dumpFolder = "nibble-dump";
  /// NIBBLE_OVERRIDE: a folder of stages that take the place of compiled ones.
  std::string overrideFolder;
  /// NIBBLE_PRINT_TUNING: 1 or 0.
  bool printsTuning = false;
  /// NIBBLE_THREADS: how many threads compute; 0 if it is not set.
  unsigned threads = 0;
  /// NIBBLE_LOG: off, warning, info or debug.
  LogLevel logLevel = LogLevel::Warning;
  /// What could not be understood, a message each.
  std::vector<std::string> problems;

  /// Reads variables by `get`, which gives null for one that is not set.
  static Environment
  read(llvm::function_ref<const char *(const char *name)> get);
};

/// The process's environment as it was when first asked for; what could not be
/// understood is said then.
const Environment &environment();

} // namespace nibble

#endif // NIBBLE_SUPPORT_ENVIRONMENT_H
