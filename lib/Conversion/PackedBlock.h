//===- Conversion/PackedBlock.h - A block of a packed product -------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What both ways of the schedule mma_packed begin with: where a program's block
// of y lies, which part of it a warp takes, which steps over K, and where the
// codes and scales of a step are.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_CONVERSION_PACKEDBLOCK_H
#define NIBBLE_CONVERSION_PACKEDBLOCK_H

#include "Conversion/MmaPackedPlan.h"
#include "Conversion/Schedule.h"
#include "Conversion/WordMath.h"

namespace nibble {

/// The block of one program; all values are i32.
class PackedBlock : WordMath {
public:
  /// In a kernel whose programs are `splits` blocks of a cluster.
  PackedBlock(const MmaPackedPlan &plan, int splits, GpuBody &body);

  /// Computes where the block lies.
  mlir::LogicalResult locate();
  /// The first row of x, and how many there are.
  Value firstRow() { return mul(narrow(mBlock), b.i32(plan.blockM)); }
  Value rows;

  /// Computes how threads and blocks divide the work: what follows.
  void divide();
  /// This thread's lane and warp; which part of K and of the columns its warp
  /// takes, or with wgmma its four warps do.
  Value lane, warp, warpK, warpN;
  /// Rows of W, and this block's steps over stageRows() of them: the blocks of
  /// a cluster take theirs one after another, as evenly as they come.
  Value K, firstStep, endStep;
  /// Where these steps end, in steps over 128 rows and in rows.
  Value endWarpStep, endRow;
  /// The first tile of 16 columns, and how many W has.
  Value firstTile, tiles;

  /// The first column of this warp's tiles in the block.
  Value warpColumn();
  /// The row of the packed matrix with unit `u` of `step`, one over 128 rows.
  Value unit(Value step, int64_t u);
  /// The row of scales `s` of `step`, one over 128 rows.
  Value group(Value step, int64_t s);

private:
  const MmaPackedPlan &plan;
  int splits;
  GpuBody &body;
  /// Which block of rows and of columns this is, of type `index`.
  Value mBlock, nBlock;
};

} // namespace nibble

#endif // NIBBLE_CONVERSION_PACKEDBLOCK_H
