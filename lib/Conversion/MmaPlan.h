//===- Conversion/MmaPlan.h - How tensor cores compute a kernel -----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the schedule `mma` found in a kernel and how it divides the work, apart
// from the code that it then builds: whether a kernel matches is a question of
// its own, which a caller asks without building anything.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_CONVERSION_MMAPLAN_H
#define NIBBLE_CONVERSION_MMAPLAN_H

#include "Conversion/Product.h"

namespace nibble {

/// One kernel on tensor cores.
struct MmaPlan {
  Product product;
  /// The block of the output and the step over K, in elements.
  int64_t blockM, blockN, blockK;
  /// Warps along rows and along columns of the block.
  int64_t warpsM, warpsN;

  /// Rows and columns of one warp's part.
  int64_t warpRows() const { return blockM / warpsM; }
  int64_t warpColumns() const { return blockN / warpsN; }
  int64_t threads() const { return warpsM * warpsN * 32; }

  // Staged operands, row by row, two bytes an element. Eight elements after
  // each row turn the banks by four words from row to row, so that the eight
  // rows of 16 bytes that ldmatrix reads at a time lie in different banks.
  int64_t lhsPitch() const { return blockK + 8; }
  int64_t rhsPitch() const { return blockN + 8; }
  int64_t lhsBytes() const { return blockM * lhsPitch() * 2; }
  int64_t stageBytes() const { return lhsBytes() + blockK * rhsPitch() * 2; }
  /// One stage is multiplied while the next is filled.
  static constexpr int64_t stages = 2;
  int64_t sharedBytes() const { return stages * stageBytes(); }
};

/// The plan for `kernel` with `warps` warps and at most `sharedBytes` of shared
/// memory; a refusal if the schedule does not match.
std::optional<Refusal> planMma(ir::KernelOp kernel, int warps,
                               int64_t sharedBytes, MmaPlan &plan);

} // namespace nibble

#endif // NIBBLE_CONVERSION_MMAPLAN_H
