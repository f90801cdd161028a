//===- Support/Processors.cpp - How many threads compute ------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Processors.h.
//
//===----------------------------------------------------------------------===//

#include "Support/Processors.h"
#include "Support/Environment.h"
#include "llvm/Support/Threading.h"
#include <algorithm>
#include <fstream>
#include <string>

using namespace nibble;

std::optional<unsigned> nibble::processorsOfQuota(llvm::StringRef text) {
  auto [quota, period] = text.trim().split(' ');
  uint64_t time, of;
  if (quota.getAsInteger(10, time) || period.getAsInteger(10, of) || of == 0)
    return std::nullopt;
  uint64_t rounded = time / of + (time % of != 0);
  return static_cast<unsigned>(std::clamp<uint64_t>(rounded, 1, 1 << 16));
}

static std::optional<unsigned> readQuota() {
  // Of this process's own group, where containers have a view of their own.
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string line;
  std::getline(file, line);
  return processorsOfQuota(line);
}

unsigned nibble::computeThreads(bool cores) {
  if (unsigned given = environment().threads)
    return given;
  static const std::optional<unsigned> quota = readQuota();
  unsigned threads = (cores ? llvm::heavyweight_hardware_concurrency()
                            : llvm::hardware_concurrency())
                         .compute_thread_count();
  return std::min(threads, quota.value_or(threads));
}
