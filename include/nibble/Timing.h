//===- nibble/Timing.h - Times of calls -------------------------*- C++ -*-===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TIMING_H
#define NIBBLE_TIMING_H

namespace nibble {

/// Microseconds of one call: the median of several measurements, and what one
/// in ten is below and above.
struct CallTime {
  double median = 0, p10 = 0, p90 = 0;

  bool operator==(const CallTime &) const = default;
};

} // namespace nibble

#endif // NIBBLE_TIMING_H
