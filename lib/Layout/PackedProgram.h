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
// There are two ways. With prefetch > 0 a warp reads its weights from memory
// into registers, so many steps ahead, and all warps bring x into shared
// memory. With prefetch = 0, from sm_90 on, weights and x come through a
// pipeline of stages of 128 rows in shared memory, filled by further warps that
// do nothing else. There four warps may multiply together, by wgmma (sm_90a):
// they take the place of a warp above, with tiles of 64 columns.
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
  /// Warps that multiply.
  int warps;
  /// Steps in shared memory at a time: of x, or, in a pipeline, of 128 rows of
  /// weights and x.
  int stages;
  /// Steps of weights in registers at a time; 0 for a pipeline.
  int prefetch;
  /// Multiply by wgmma.
  bool wgmma = false;
  /// Multiply bf16, of which a weight takes twice as many operations to scale.
  bool bf16 = false;
  /// Of a pipeline that gathers x and holds all of a block's for that: the most
  /// rows and columns; 0 if it does not.
  int64_t heldRows = 0, heldColumns = 0;
  bool holds() const { return heldColumns > 0; }

  /// Rows of K that a warp takes in a step, and steps of an mma in them.
  static constexpr int64_t warpRows = 128, warpSteps = warpRows / 16;
  /// Columns of a unit: the rows of an mma.
  static constexpr int64_t tileColumns = PackedOrder::unitColumns;
  /// The most rows of x, and with wgmma.
  static constexpr int64_t mostRows = 64, mostWgmmaRows = 256;

  /// Why there is no such program on a GPU with `sharedBytes` bytes of shared
  /// memory a program; nothing if there is. The numbers below have a meaning
  /// only then.
  std::optional<std::string> refusal(int64_t sharedBytes) const;

  bool pipelined() const { return prefetch == 0; }
  /// Threads that multiply, that bring a step of x together, and all.
  int64_t multipliers() const { return warps * 32; }
  int64_t stagers() const {
    return pipelined() ? teamWarps() * 32 : multipliers();
  }
  int64_t threads() const {
    return multipliers() + (pipelined() ? teams() * stagers() : 0);
  }
  /// In a pipeline up to four warps fill stages, in teams that take them in
  /// turn: a team's way through a step may take as long as several steps of
  /// those that multiply. Warps of a team, as many as x has rows for, and
  /// teams, each of which always fills the same stages. With wgmma, whose
  /// registers are given out by four warps, there is one. A 17th warp costs a
  /// quarter of the registers, and the next three nothing more.
  int64_t teamWarps() const {
    return wgmma || blockM > 32 ? 4 : blockM > 16 ? 2 : 1;
  }
  int64_t teams() const {
    int64_t most = std::max<int64_t>(16, (warps + teamWarps() + 3) / 4 * 4);
    int64_t number = std::min<int64_t>(4, most - warps) / teamWarps();
    while (stages % number)
      --number;
    return number;
  }
  /// Warps that multiply together, and columns of a tile of theirs.
  int64_t unitWarps() const { return wgmma ? 4 : 1; }
  int64_t tileWidth() const { return unitWarps() * tileColumns; }
  int64_t warpsK() const { return blockK / warpRows; }
  int64_t warpsN() const { return warps / unitWarps() / warpsK(); }
  /// Tiles of a warp (of four with wgmma), and mma columns of 8 rows of x.
  int64_t tiles() const { return blockN / tileWidth() / warpsN(); }
  int64_t tokens() const { return blockM / 8; }
  /// Rows of K in a unit of the packed order, units of a warp's step, and the
  /// words that a lane has of them.
  PackedOrder order() const { return PackedOrder(static_cast<int>(bits)); }
  int64_t unitRows() const {
    return PackedOrder::unitRows(static_cast<int>(bits));
  }
  int64_t unitWords() const {
    return PackedOrder::unitWords(static_cast<int>(bits));
  }
  int64_t units() const { return warpRows / unitRows(); }
  int64_t laneWords() const { return units() * unitWords() / 32; }
  /// Steps of 16 rows that share a scale, and scales of a warp's step.
  int64_t stepsPerScale() const {
    if (groupRows % warpRows == 0)
      return warpSteps;
    return warpRows % groupRows == 0 ? groupRows / 16 : 1;
  }
  int64_t scalesPerStep() const { return warpSteps / stepsPerScale(); }
  /// Few rows of x: the sums of a group are scaled, in f32, rather than its
  /// weights; more exact, and cheaper where sums are fewer than weights. With
  /// wgmma, where a step has one group and there are registers for it.
  bool scalesSums() const {
    if (!wgmma)
      return blockM <= 32;
    return stepsPerScale() == warpSteps && blockM <= (bf16 ? 64 : 32) &&
           wgmmaRegisters() + sums() + otherRegisters <= mostRegisters();
  }

  /// What a thread keeps in registers: sums, words in flight and a fragment of
  /// x, or with wgmma two fragments of weights; addresses are not counted.
  int64_t registers() const {
    int64_t scaled = scalesSums() ? sums() : 0;
    if (wgmma)
      return scaled + wgmmaRegisters();
    int64_t multiplied =
        scaled + sums() + tokens() * 4 +
        std::max(prefetch, 1) * (tiles() * laneWords() + scaleWords());
    return std::max(multiplied, heldRows * heldAtOnce() * 4);
  }
  /// A thread's sums, its words of scales and zero points of a step, and what
  /// it keeps with wgmma where weights are scaled.
  int64_t sums() const { return tiles() * tokens() * 4; }
  int64_t scaleWords() const { return tiles() * 2 * scalesPerStep(); }
  int64_t wgmmaRegisters() const { return sums() + 2 * 16 + 2 * scaleWords(); }
  /// The most registers that a thread can have: each of four schedulers has 512
  /// for a lane of all of its warps, given out in units of 8. Eight warps of
  /// wgmma with many sums take those that the four warps which fill stages do
  /// not need.
  int64_t mostRegisters() const {
    int64_t warpsOfScheduler = (threads() + 127) / 128;
    return givesRegisters()
               ? 232
               : std::min<int64_t>(255, 512 / warpsOfScheduler / 8 * 8);
  }
  bool givesRegisters() const { return wgmma && warps == 8 && blockM >= 128; }
  /// Registers for addresses and what is being computed.
  static constexpr int64_t otherRegisters = 24;
  /// Programs that share a multiprocessor of 65536 registers: a thread has 128
  /// where that is enough, so that one program's end is another's middle.
  int64_t programsAtOnce() const {
    return !pipelined() && registers() + otherRegisters <= 128
               ? 65536 / 128 / threads()
               : 1;
  }

  /// Rows of K in a stage.
  int64_t stageRows() const { return pipelined() ? warpRows : blockK; }
  /// A stage: x, in pieces of 64 columns of blockM rows of 128 bytes, and in a
  /// pipeline the codes, unit by unit, and the scales with zero points.
  int64_t xBytes() const {
    return holds() ? 0 : stageRows() / 64 * blockM * 128;
  }
  int64_t codeBytes() const { return units() * unitBytes(); }
  int64_t unitBytes() const { return blockN / tileColumns * unitWords() * 4; }
  int64_t scaleBytes() const { return blockN / tileColumns * 64; }
  int64_t stageBytes() const {
    if (!pipelined())
      return xBytes();
    int64_t bytes = xBytes() + codeBytes() + scalesPerStep() * scaleBytes() +
                    permutationBytes();
    return (bytes + swizzleBytes - 1) / swizzleBytes * swizzleBytes;
  }
  /// Of a stage, where x is held: which columns of it are multiplied, i32.
  int64_t permutationBytes() const { return holds() ? warpRows * 4 : 0; }
  /// Pieces of each row that a thread has in flight while x is brought.
  int64_t heldAtOnce() const { return heldRows <= 8 ? 2 : 1; }
  /// What is held, for each 8 rows of a block: of each column a piece of 16
  /// bytes, and eight that are 0.
  int64_t heldBytes() const { return holds() ? tokens() * heldPitch() : 0; }
  int64_t heldPitch() const { return ((heldColumns + 7) / 8 * 8 + 8) * 16; }
  /// Swizzled pieces begin at multiples of this.
  static constexpr int64_t swizzleBytes = 1024;
  /// Sums of the warps along K, f32; 4 more a row turn the banks.
  int64_t sumPitch() const { return blockN + 4; }
  int64_t sumBytes() const { return warpsK() * blockM * sumPitch() * 4; }
  int64_t sharedBytes() const {
    int64_t bytes = std::max(stages * stageBytes(), sumBytes());
    // Room to begin at a multiple, and two barriers a stage.
    return pipelined() ? swizzleBytes + bytes + stages * 16 + heldBytes()
                       : bytes;
  }
};

} // namespace nibble::layout

#endif // NIBBLE_LAYOUT_PACKEDPROGRAM_H
