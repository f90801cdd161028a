//===- Jit/TuningSearch.h - Which configurations to measure -----*- C++ -*-===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Decides what is compiled and measured, in which order, and when more cannot
// pay. How a configuration is compiled and measured is the caller's: this file
// knows of no device, and a test gives it times of its own.
//
// Candidates come ranked, what is probably fastest first, and are looked at in
// that order. The next ones are compiled on other threads while one is timed.
// What is decided depends on times alone, not on how fast threads are, and a
// time that is known counts as if it had just been measured: a search that was
// finished before measures nothing.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_JIT_TUNINGSEARCH_H
#define NIBBLE_JIT_TUNINGSEARCH_H

#include "nibble/Status.h"
#include "nibble/Timing.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <cstdint>
#include <optional>
#include <vector>

namespace nibble {

/// When a search ends; as it is, when every candidate was looked at.
struct SearchLimits {
  /// Microseconds that no candidate can beat; the search ends within 3% of
  /// them. 0 if they are not known.
  double floor = 0;
  /// The search ends after so many candidates in a row that run and are not 1%
  /// faster than the best before them. 0: never.
  size_t patience = 0;
  /// Threads that compile.
  unsigned threads = 1;
};

/// What a search may do with candidate number i.
struct SearchSteps {
  /// Makes it ready to be measured. Called from several threads, once each;
  /// from the searching one alone where no other can be started.
  llvm::function_ref<Status(size_t i)> compile;
  /// Called on the searching thread, one at a time.
  llvm::function_ref<Result<CallTime>(size_t i)> measure;
  /// True if the search is to end now.
  llvm::function_ref<bool()> cancelled;
};

/// What a search found out about one candidate.
struct SearchedCandidate {
  enum Kind {
    /// Not looked at, and its time is not known.
    Skipped,
    /// Its time was known.
    Known,
    Measured,
    /// It does not compile or cannot be measured; `status` says why.
    Failed
  };
  Kind kind = Skipped;
  /// Of a known or measured one.
  CallTime time;
  Status status;

  bool hasTime() const { return kind == Known || kind == Measured; }
};

/// Searches candidates, one for each of `known`, which has their times where
/// they are known. Waits for what is being compiled when it ends.
std::vector<SearchedCandidate>
searchFastest(llvm::ArrayRef<std::optional<CallTime>> known,
              const SearchLimits &limits, const SearchSteps &steps);

} // namespace nibble

#endif // NIBBLE_JIT_TUNINGSEARCH_H
