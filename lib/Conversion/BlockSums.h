//===- Conversion/BlockSums.h - Sums of a block of y ---------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The end of a program with packed weights: the sums of its warps meet in
// shared memory, where those of warps that divide K are added in their order,
// and all threads together compute what the kernel does with the totals. Where
// the blocks of a cluster divide K, they read each other's sums in the same
// way.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_CONVERSION_BLOCKSUMS_H
#define NIBBLE_CONVERSION_BLOCKSUMS_H

#include "Conversion/MmaPackedPlan.h"
#include "Conversion/Schedule.h"
#include "Conversion/WordMath.h"

namespace nibble {

/// Adds up and stores the sums of one plan's blocks.
class BlockSums : WordMath {
public:
  /// With the sums at `shared`, where nothing else may be read any more once
  /// all threads that multiply have called store().
  BlockSums(const MmaPackedPlan &plan, int splits, GpuBody &body,
            mlir::Value shared)
      : WordMath(body.evaluator.builder()), plan(plan), splits(splits),
        body(body), shared(shared) {}

  /// What a warp's sums belong to: the rows of K numbered k, and the columns of
  /// the block from `column` on.
  struct Warp {
    mlir::Value lane, k, column;
  };
  /// Stores a block's `rows` rows of y, all threads that multiply together,
  /// each with its `sums` (f32, four for each 8 rows of each tile).
  mlir::LogicalResult store(const Warp &warp, mlir::ValueRange sums,
                            mlir::Value rows);

private:
  void barrier();
  void synchronize();
  Value ofBlock(Value address, int64_t number);

  const MmaPackedPlan &plan;
  int splits;
  GpuBody &body;
  Value shared;
};

} // namespace nibble

#endif // NIBBLE_CONVERSION_BLOCKSUMS_H
