//===- Jit/MeasuredTimes.h - What was measured, for the next process ------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Times of configurations, kept beside the kernels: for each problem, a time
// for each configuration that anybody has measured. A new list of
// configurations finds the times of those it shares with the old.
//
// In the cache they are up to 32 entries, the problem's parts. Whoever has new
// times creates the next part with these alone, and nobody writes to one that
// is there: what others added is lost to nobody, however many add at once, and
// with locks or without. A part of higher number has more weight.
//
//   part 0    named by the problem's digest
//   part i    named by the digest of that and i
//   part 31   changed in place, under a lock; where there are no locks it stays
//             as it was first written, and later times are not kept
//
// Reading ends at four numbers in a row without a part, so that one that was
// removed or set aside takes only its own times along. If more in a row are
// gone, those behind come back once new times have taken one of the numbers. A
// part that is there and cannot be read counts as one without times.
//
// A file of kernels has one entry for a problem, with all times.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_JIT_MEASUREDTIMES_H
#define NIBBLE_JIT_MEASUREDTIMES_H

#include "Jit/DiskCache.h"
#include "nibble/Timing.h"
#include <map>
#include <string>
#include <vector>

namespace nibble {

/// Times by the words of a configuration.
using MeasuredTimes = std::map<std::string, CallTime>;

/// Names calls whose times can be compared.
struct TuningKey {
  /// For people: the GPU's name and `call`.
  std::string name;
  /// The digest under which their times are kept: of all that a time depends on
  /// apart from the configuration.
  std::string problem;
  /// The layer's kind, the types and the rows, on whatever GPU, and the target
  /// of its code: what is to be compiled is found by these, where there is no
  /// GPU.
  std::string call, target;
};

/// What is known of `problem`, from the files of kernels and, with more weight,
/// from the cache.
MeasuredTimes findTimes(DiskCache &cache, const std::string &problem);

/// Adds `times` to what is known of `key`. A time of a configuration that was
/// measured before is replaced; others stay, those that another process adds at
/// the same time too. Writes nothing if the cache has all of them.
void addTimes(DiskCache &cache, const TuningKey &key,
              const MeasuredTimes &times);

/// The entry of a cache or of a file of kernels that findTimes() reads `times`
/// of.
CacheEntry timesEntry(const TuningKey &key, const MeasuredTimes &times);

/// All times of a file.
struct FiledTimes {
  TuningKey key;
  MeasuredTimes times;
};

/// The times in the file of kernels `path`; errors as KernelFile::open() has.
Result<std::vector<FiledTimes>> readTimesFile(const std::string &path);

} // namespace nibble

#endif // NIBBLE_JIT_MEASUREDTIMES_H
