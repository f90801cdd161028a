//===- Conversion/HeldRows.h - All of a block's x in shared memory --------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where rows of W are permuted, columns of x are gathered, and from memory each
// element would be a read of its own. So a pipeline can hold all of its block's
// few rows of x, transposed: of each column a piece of 16 bytes for each 8
// rows. ldmatrix takes eight pieces from wherever they are and transposes them
// into a fragment, so that gathered columns cost no more than others but for
// conflicts of banks.
//
// Piece k lies at number k ^ k / 8 % 8 among its eight. So neither the eight
// that a thread writes, nor those that eight threads write at a time, meet in a
// bank.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_CONVERSION_HELDROWS_H
#define NIBBLE_CONVERSION_HELDROWS_H

#include "Conversion/MmaPackedPlan.h"
#include "Conversion/TileEvaluator.h"
#include "Conversion/WordMath.h"

namespace nibble {

/// The rows of x that one block holds.
class HeldRows : WordMath {
public:
  /// In the shared memory at `memory`.
  HeldRows(const MmaPackedPlan &plan, TileEvaluator &evaluator,
           mlir::Value memory);

  /// Brings `rows` rows of x from `firstRow` on, with `K` columns (i32): by
  /// all threads, of which this is number `thread`. They are there when all
  /// have done so.
  void bring(mlir::Value thread, mlir::Value firstRow, mlir::Value rows,
             mlir::Value K);

  /// Where column `column` (i32) of 8 rows lies, the block's `m`-th 8.
  mlir::Value place(mlir::Value column, int64_t m);
  /// A column of which all rows are 0. Only where steps may be less than whole.
  mlir::Value nothing() { return b.i32((plan.heldColumns + 7) / 8 * 8); }

private:
  int64_t rowsOf(int64_t m) const;
  Value offset(mlir::Value column);
  void write(mlir::ValueRange words, mlir::Value piece, int64_t m);

  const MmaPackedPlan &plan;
  Value memory, x, rowStride;
};

} // namespace nibble

#endif // NIBBLE_CONVERSION_HELDROWS_H
