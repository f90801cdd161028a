//===- Jit/Timing.h - How long calls take on a device -----------*- C++ -*-===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Times calls by the device's own clock: a graph holds them, so that no host
// work lies between them, and CUDA events stand around its replays. A call
// whose data lies in L2 from the call before is faster than the same call
// within a model; who times calls gives several of them that each use other
// weights, coldBytes of them in all.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_JIT_TIMING_H
#define NIBBLE_JIT_TIMING_H

#include "Driver/Stream.h"
#include "nibble/Timing.h"
#include "llvm/ADT/ArrayRef.h"

namespace nibble {

/// The bytes of weights over which calls must rotate so that each call finds
/// its own out of L2: five times the cache, at least 256 MiB.
int64_t coldBytes(const driver::Device &device);

/// How many copies of `weightBytes` bytes to rotate over: so many that they
/// make up `cold` bytes, at most 512, and in at most half of `freeBytes` bytes
/// of memory, the rest of which is the host program's. 0 where they would be
/// one, which is as warm or cold as what it is copied from.
size_t coldCopies(size_t cold, size_t weightBytes, size_t freeBytes);

/// Puts one call on a stream.
using Call = std::function<Status(void *stream)>;

/// The time of one of `calls`, which all take as long: they are captured in
/// turn, 20 of them or each once if they are more, and replayed for about
/// `budget` microseconds of the device's time, at least 5 times.
Result<CallTime> timeCalls(const driver::Device &device,
                           llvm::ArrayRef<Call> calls, double budget = 50e3);

/// The median and spread of measured times, of which there must be one.
CallTime summarise(std::vector<double> times);

} // namespace nibble

#endif // NIBBLE_JIT_TIMING_H
