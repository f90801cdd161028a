//===- API/TuningPolicy.h - What a call does about tuning -------*- C++ -*-===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_API_TUNINGPOLICY_H
#define NIBBLE_API_TUNINGPOLICY_H

#include "nibble/QuantLinear.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace nibble {

/// What a call for which the layer has no kernel yet does about tuning, before
/// it takes the best choice known.
enum class TuningStep {
  None,
  /// Tunes, and waits for it.
  Now,
  /// Runs what is known, and tunes on another thread.
  Later,
  /// Runs what is known without keeping the choice: its stream is captured, and
  /// a later call is to tune.
  Postponed
};

/// What `policy` asks of a call of a layer on a GPU that can be tuned.
/// `searched`: that was finished before. `capturing` tells whether the call's
/// stream is being captured; it is asked only where that matters.
inline TuningStep tuningStep(TuningPolicy policy, bool pinned, bool searched,
                             llvm::function_ref<bool()> capturing) {
  if (policy == TuningPolicy::Heuristic || searched)
    return TuningStep::None;
  // A pinned layer's first choice is its last.
  if (pinned && policy == TuningPolicy::Background)
    return TuningStep::None;
  if (capturing())
    return pinned ? TuningStep::None : TuningStep::Postponed;
  return policy == TuningPolicy::Blocking ? TuningStep::Now : TuningStep::Later;
}

} // namespace nibble

#endif // NIBBLE_API_TUNINGPOLICY_H
