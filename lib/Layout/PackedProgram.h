//===- Layout/PackedProgram.h - A program that reads packed weights -------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the schedule mma_packed divides its work, in numbers alone: who chooses a
// configuration asks here whether it can run, and the schedule builds it.
//
//   warps of a program = warpsN x warpsK. A warp takes blockN / warpsN columns,
//   and of each step over blockK = warpsK * 128 rows of K its own 128. What
//   the warps of one column sum up is added at the end, in their order.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_LAYOUT_PACKEDPROGRAM_H
#define NIBBLE_LAYOUT_PACKEDPROGRAM_H

#include "Layout/PackedOrder.h"
#include <algorithm>
#include <optional>
#include <string>

namespace nibble::layout {

/// One program of mma_packed.
struct PackedProgram {
  int64_t bits;
  /// Rows of a group of the packed order.
  int64_t groupRows;
  /// Rows of x, columns of W, and rows of W of a step.
  int64_t blockM, blockN, blockK;
  int warps;
  /// Steps of x in shared memory at a time.
  int stages;
  /// Steps of weights in registers at a time.
  int prefetch;

  /// Rows of K that a warp takes in a step, and steps of an mma in them.
  static constexpr int64_t warpRows = 128, warpSteps = warpRows / 16;
  /// Columns of a tile: the rows of an mma.
  static constexpr int64_t tileColumns = PackedOrder::unitColumns;
  /// The most rows of x.
  static constexpr int64_t mostRows = 64;

  /// Why there is no such program on a GPU with `sharedBytes` bytes of shared
  /// memory a program; nothing if there is. The numbers below have a meaning
  /// only then.
  std::optional<std::string> refusal(int64_t sharedBytes) const;

  int64_t threads() const { return warps * 32; }
  int64_t warpsK() const { return blockK / warpRows; }
  int64_t warpsN() const { return warps / warpsK(); }
  /// Tiles of a warp, and mma columns of 8 rows of x.
  int64_t tiles() const { return blockN / tileColumns / warpsN(); }
  int64_t tokens() const { return blockM / 8; }
  /// Rows of K in a unit of the packed order, units of a warp's step, and the
  /// words that a lane has of them.
  PackedOrder order() const { return PackedOrder(static_cast<int>(bits)); }
  int64_t unitRows() const { return order().unitRows(); }
  int64_t units() const { return warpRows / unitRows(); }
  int64_t laneWords() const { return units() * order().laneWords(); }
  /// Steps of 16 rows that share a scale, and scales of a warp's step.
  int64_t stepsPerScale() const {
    if (groupRows % warpRows == 0)
      return warpSteps;
    return warpRows % groupRows == 0 ? groupRows / 16 : 1;
  }
  int64_t scalesPerStep() const { return warpSteps / stepsPerScale(); }
  /// Few rows of x: the sums of a group are scaled, in f32, rather than its
  /// weights; more exact, and cheaper where sums are fewer than weights.
  bool scalesSums() const { return blockM <= 32; }

  /// What a thread keeps in registers: sums, words in flight and a fragment of
  /// x; addresses are not counted.
  int64_t registers() const {
    return tiles() * tokens() * 4 * (scalesSums() ? 2 : 1) +
           tiles() * prefetch * (laneWords() + 2 * scalesPerStep()) +
           tokens() * 4;
  }
  /// Registers for addresses and what is being computed.
  static constexpr int64_t otherRegisters = 24;
  /// Programs that share a multiprocessor of 65536 registers: a thread has 128
  /// where that is enough, so that one program's end is another's middle.
  int64_t programsAtOnce() const {
    return registers() + otherRegisters <= 128 ? 65536 / 128 / threads() : 1;
  }

  /// x in shared memory: pieces of 64 columns, each blockM rows of 128 bytes.
  int64_t stageBytes() const { return blockK / 64 * blockM * 128; }
  /// Sums of the warps along K, f32; 4 more a row turn the banks.
  int64_t sumPitch() const { return blockN + 4; }
  int64_t sumBytes() const { return warpsK() * blockM * sumPitch() * 4; }
  int64_t sharedBytes() const {
    return std::max(stages * stageBytes(), sumBytes());
  }
};

} // namespace nibble::layout

#endif // NIBBLE_LAYOUT_PACKEDPROGRAM_H
