//===- Support/Log.cpp - What nibble says on stderr -----------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Log.h.
//
//===----------------------------------------------------------------------===//

#include "Support/Log.h"
#include "Support/Environment.h"
#include <unistd.h>

using namespace nibble;

bool nibble::logs(LogLevel level) { return level <= environment().logLevel; }

void nibble::writeLogLine(const llvm::Twine &message) {
  std::string line = ("nibble: " + message + "\n").str();
  // Not by a stream: one write keeps the lines of threads and processes apart.
  (void)!::write(STDERR_FILENO, line.data(), line.size());
}

void nibble::log(LogLevel level, const llvm::Twine &message) {
  if (logs(level))
    writeLogLine(message);
}
