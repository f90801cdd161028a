//===- Conversion/FragmentProducts.h - Products of fragments by mma.sync -===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A warp's product of one step over 128 rows of K: weights in registers, as
// packed words with their scales, times x in shared memory. Weights are the
// left operand, x the right one: a lane's sums are columns r and r + 8 of W,
// rows 2 c and 2 c + 1 of x, with r = lane / 4, c = lane % 4.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_CONVERSION_FRAGMENTPRODUCTS_H
#define NIBBLE_CONVERSION_FRAGMENTPRODUCTS_H

#include "Conversion/FragmentCodes.h"
#include "Conversion/HeldRows.h"
#include "Conversion/MmaPackedPlan.h"
#include "Conversion/WordMath.h"

namespace nibble {

/// Multiplies the steps of one plan.
class FragmentProducts : WordMath {
public:
  FragmentProducts(const MmaPackedPlan &plan, ValueBuilder &builder,
                   mlir::Value lane)
      : WordMath(builder), plan(plan), element(plan.element()),
        codes(builder, plan.bits, element), lane(lane) {}

  /// `sums` (f32, four for each 8 rows of x of each tile) plus the product of a
  /// step. `weights` are i32: the words of each unit and tile, then scales and
  /// zero points of each tile, scale by scale. `x` is where a step's two pieces
  /// of 64 columns of x begin (StagedRows.h).
  mlir::SmallVector<mlir::Value>
  compute(mlir::ValueRange sums, mlir::ValueRange weights, mlir::Value x);
  /// The same with x from `held`: this lane's four columns, i32, of which the
  /// first is column number `lane` of the step, the others each 32 on.
  mlir::SmallVector<mlir::Value> compute(mlir::ValueRange sums,
                                         mlir::ValueRange weights,
                                         HeldRows &held,
                                         mlir::ValueRange columns);

private:
  /// Where this lane's row of 8 elements of x is, for ldmatrix: of 32 of a
  /// step's columns, number `part`, and of 8 rows of x, number `m`.
  using RowOfX = llvm::function_ref<Value(int64_t part, int64_t m)>;
  Values compute(mlir::ValueRange sums, mlir::ValueRange weights, RowOfX x);
  Values multiply(mlir::ValueRange sums, llvm::ArrayRef<Value> fragment,
                  llvm::ArrayRef<Value> right);

  const MmaPackedPlan &plan;
  mlir::Type element;
  FragmentCodes codes;
  Value lane;
};

} // namespace nibble

#endif // NIBBLE_CONVERSION_FRAGMENTPRODUCTS_H
