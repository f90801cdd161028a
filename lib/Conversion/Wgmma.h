//===- Conversion/Wgmma.h - Products of four warps together --------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// wgmma with weights in registers as operand A and x in shared memory as
// operand B, which NVVM's operation has no form for. It runs on its own: the
// registers of operand A must stay until the product has been waited for
// (nvvm.wgmma.wait.group.sync.aligned).
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_CONVERSION_WGMMA_H
#define NIBBLE_CONVERSION_WGMMA_H

#include "Conversion/MmaPackedPlan.h"
#include "Conversion/ValueBuilder.h"

namespace nibble {

/// Rows of K of the products that are begun together, and steps of 16 in them.
inline constexpr int64_t wgmmaRows = 64, wgmmaSteps = 4;

/// `words` (i32), computed where this is built, while tensor cores work, and
/// not where they are used.
mlir::SmallVector<mlir::Value> keepHere(ValueBuilder &b,
                                        mlir::ValueRange words);

/// Begins `sums` (f32, four for each 8 rows of x) plus the product of 64
/// columns of W, four i32 a step of 16 rows in `fragments`, and x at `x`: one
/// piece of 64 columns as in StagedRows.h. Commits a group. With `anew` sums
/// begin at 0, whatever `sums` hold.
mlir::SmallVector<mlir::Value>
beginWgmma(ValueBuilder &b, const MmaPackedPlan &plan, mlir::ValueRange sums,
           mlir::ValueRange fragments, mlir::Value x, bool anew);

} // namespace nibble

#endif // NIBBLE_CONVERSION_WGMMA_H
