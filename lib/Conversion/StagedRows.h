//===- Conversion/StagedRows.h - Activations in shared memory -------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The activations of schedule mma_packed: rows of x on their way to shared
// memory, some steps over K ahead. A stage holds stageRows() columns of blockM
// rows in pieces of 64 columns, each piece row by row, 128 bytes a row; chunk c
// of 16 bytes of row r lies at chunk c ^ r % 8 (Layout/Swizzle.h), so that the
// eight rows that ldmatrix reads at a time are in different banks. It is also
// the order that wgmma calls a 128-byte swizzle.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_CONVERSION_STAGEDROWS_H
#define NIBBLE_CONVERSION_STAGEDROWS_H

#include "Conversion/MmaPackedPlan.h"
#include "Conversion/TileEvaluator.h"
#include "Conversion/WordMath.h"

namespace nibble {

/// Brings x into shared memory, all threads that do so together.
class StagedRows : WordMath {
public:
  /// For `rows` rows of x from `firstRow` on (i32) up to column `end`, by
  /// thread number `thread`, into the shared memory at `shared`.
  StagedRows(const MmaPackedPlan &plan, TileEvaluator &evaluator,
             mlir::Value shared, mlir::Value thread, mlir::Value firstRow,
             mlir::Value rows, mlir::Value end);

  /// Begins to bring x of `step` into the stage at byte `slot`: by copies that
  /// run on their own (cp.async), or into the registers that are returned, for
  /// place().
  mlir::SmallVector<mlir::Value> fetch(mlir::Value step, mlir::Value slot);
  /// Writes what fetch() returned.
  void place(mlir::ValueRange values, mlir::Value slot);
  /// Both, a few rows at a time: for threads that do nothing else.
  void bring(mlir::Value step, mlir::Value slot);

private:
  /// For each of a thread's rows: whether there is one, its address, its place
  /// in a stage.
  struct Rows {
    Values inside, address, placeInStage;
  };
  Rows locate(Value from, int64_t count);
  Values gather(const Rows &from, Value step);
  Values fetch(const Rows &from, Value step, Value slot);
  void place(const Rows &from, mlir::ValueRange values, Value slot);

  const MmaPackedPlan &plan;
  TileEvaluator &evaluator;
  mlir::Type element;
  Value shared, firstRow, rows, end;
  /// This thread's piece of a row in a step, 8 elements, and its first row; the
  /// rows from one to its next, and how many it has at most.
  Value piece, pieceRow;
  int64_t rowsAPass, passes;
  /// All of its rows, where they are few enough to be kept in registers.
  static constexpr int64_t mostPasses = 8;
  Rows all;
};

} // namespace nibble

#endif // NIBBLE_CONVERSION_STAGEDROWS_H
