//===- Support/Log.h - What nibble says on stderr -------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A call's errors are its Status. The log is for what no call reports: a cache
// that cannot be written, where a kernel came from. NIBBLE_LOG says how much of
// it is wanted.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_SUPPORT_LOG_H
#define NIBBLE_SUPPORT_LOG_H

#include "llvm/ADT/Twine.h"

namespace nibble {

/// How much is said; each level includes those before it.
enum class LogLevel {
  /// Nothing.
  Off,
  /// What works less well than it should, each thing once.
  Warning,
  /// Where each kernel came from, and how long that took.
  Info,
  /// What the cache does with its files.
  Debug,
};

/// True if messages of `level` are wanted, for those that are costly to make.
bool logs(LogLevel level);

/// Writes `nibble: MESSAGE` as a line on stderr, in one piece.
void writeLogLine(const llvm::Twine &message);

/// The same, if messages of `level` are wanted.
void log(LogLevel level, const llvm::Twine &message);

} // namespace nibble

#endif // NIBBLE_SUPPORT_LOG_H
