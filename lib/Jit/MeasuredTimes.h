//===- Jit/MeasuredTimes.h - What was measured, for the next process ------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Times of configurations, kept beside the kernels: an entry of the cache for
// each problem, with a time for each configuration that anybody has measured.
// A new list of configurations finds the times of those it shares with the old.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_JIT_MEASUREDTIMES_H
#define NIBBLE_JIT_MEASUREDTIMES_H

#include "Jit/DiskCache.h"
#include "nibble/Timing.h"
#include <map>

namespace nibble {

/// Times by the words of a configuration.
using MeasuredTimes = std::map<std::string, CallTime>;

/// What is known of `problem`, a digest of all that a time depends on apart
/// from the configuration: the call, the device, the compiler. From the files
/// of kernels and, with more weight, from the cache.
MeasuredTimes findTimes(DiskCache &cache, const std::string &problem);

/// Adds `times` to what is known of `problem`, which `name` describes. A time
/// of a configuration that was measured before is replaced; others stay, those
/// that another process adds at the same time too, where the file system has
/// locks.
void addTimes(DiskCache &cache, const std::string &problem,
              const std::string &name, const MeasuredTimes &times);

/// The entry of a cache or of a file of kernels that findTimes() reads `times`
/// of.
CacheEntry timesEntry(const std::string &name, const MeasuredTimes &times);

} // namespace nibble

#endif // NIBBLE_JIT_MEASUREDTIMES_H
