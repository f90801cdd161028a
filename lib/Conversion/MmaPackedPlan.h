//===- Conversion/MmaPackedPlan.h - Packed weights on tensor cores --------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the schedule `mma_packed` found in a kernel, and how it divides the work
// (Layout/PackedProgram.h). The product is computed transposed: columns of W
// are the 16 rows of an mma, rows of x its 8 columns, so that a few rows cost
// little.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_CONVERSION_MMAPACKEDPLAN_H
#define NIBBLE_CONVERSION_MMAPACKEDPLAN_H

#include "Conversion/Product.h"
#include "Layout/PackedProgram.h"

namespace nibble {

/// The part of a configuration that this schedule reads.
struct MmaPackedOptions {
  int warps;
  /// Steps of x in shared memory at a time; of a pipeline, of 128 rows of
  /// weights and x.
  int stages;
  /// Steps of weights in registers at a time; 0 for a pipeline.
  int prefetch;
  /// Blocks of a cluster that divide the steps over K.
  int splits;
  /// Multiply by wgmma.
  bool wgmma;
  /// Start while the kernel before on the stream still runs.
  bool overlap;
  /// Hold all of a block's x in shared memory.
  bool held;
  /// Shared memory that a program may use, in bytes.
  int64_t sharedBytes;
};

/// One kernel on tensor cores with packed weights.
struct MmaPackedPlan : layout::PackedProgram {
  Product product;
  /// The matrices of activations, of codes, and of scales with zero points.
  mlir::BlockArgument x, codes, scales;
  /// The row of W that each row of the packed order was; null: the same.
  mlir::BlockArgument permutation;
  /// True if K is known to be a multiple of 128, of blockK; N of blockN.
  bool wholeSteps, wholeK, wholeN;
  /// x goes to shared memory as it is, 16 bytes at a time.
  bool copiesX;

  /// The type that is multiplied: f16 or bf16.
  mlir::Type element() const {
    return mlir::cast<ir::TileType>(product.dot->getOperand(0).getType())
        .getElementType();
  }
};

/// The plan for `kernel`, whose weights are packed in groups of `groupRows`
/// rows; a refusal if the schedule does not match.
std::optional<Refusal> planMmaPacked(ir::KernelOp kernel,
                                     const MmaPackedOptions &options,
                                     MmaPackedPlan &plan);

} // namespace nibble

#endif // NIBBLE_CONVERSION_MMAPACKEDPLAN_H
