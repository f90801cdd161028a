//===- Conversion/MmaPackedPlan.h - Packed weights on tensor cores --------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the schedule `mma_packed` found in a kernel and how it divides the work.
// The product is computed transposed: columns of W are the 16 rows of an mma,
// rows of x its 8 columns, so that a few rows cost little.
//
//   warps of a program = warpsN x warpsK. A warp takes blockN / warpsN columns,
//   and of each step over blockK = warpsK * 128 rows of K its own 128. What
//   the warps of one column sum up is added at the end, in their order.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_CONVERSION_MMAPACKEDPLAN_H
#define NIBBLE_CONVERSION_MMAPACKEDPLAN_H

#include "Conversion/Product.h"
#include "Layout/PackedOrder.h"

namespace nibble {

/// The part of a configuration that this schedule reads.
struct MmaPackedOptions {
  int warps;
  /// Steps of x in shared memory at a time.
  int stages;
  /// Steps of weights in registers at a time.
  int prefetch;
  /// Start while the kernel before on the stream still runs.
  bool overlap;
  /// Shared memory that a program may use, in bytes.
  int64_t sharedBytes;
};

/// One kernel on tensor cores with packed weights.
struct MmaPackedPlan {
  Product product;
  /// The matrices of activations, of codes, and of scales with zero points.
  mlir::BlockArgument x, codes, scales;
  /// The row of W that each row of the packed order was; null: the same.
  mlir::BlockArgument permutation;
  int64_t bits;
  /// Rows of a group of the packed order.
  int64_t groupRows;
  /// True if K is known to be a multiple of 128, of blockK; N of blockN.
  bool wholeSteps, wholeK, wholeN;
  /// x goes to shared memory as it is, 16 bytes at a time.
  bool copiesX;
  int64_t blockM, blockN, blockK;
  MmaPackedOptions options;
  /// What a thread keeps in registers, addresses not counted.
  int64_t registers;

  /// Rows of K that a warp takes in a step.
  static constexpr int64_t warpRows = 128;
  /// Columns of a tile: the rows of an mma.
  static constexpr int64_t tileColumns = layout::PackedOrder::unitColumns;

  /// The type that is multiplied: f16 or bf16.
  mlir::Type element() const {
    return mlir::cast<ir::TileType>(product.dot->getOperand(0).getType())
        .getElementType();
  }
  int64_t threads() const { return options.warps * 32; }
  int64_t warpsK() const { return blockK / warpRows; }
  int64_t warpsN() const { return options.warps / warpsK(); }
  /// Tiles of a warp, and mma columns of 8 rows of x.
  int64_t tiles() const { return blockN / tileColumns / warpsN(); }
  int64_t tokens() const { return blockM / 8; }
  /// Rows of K in the 512 bytes of a unit of the packed order.
  int64_t unitRows() const {
    return layout::PackedOrder(static_cast<int>(bits)).unitRows();
  }
  int64_t units() const { return warpRows / unitRows(); }
  /// Steps of 16 rows that share a scale, and how often a step reads scales.
  int64_t stepsPerScale() const;
  int64_t scalesPerStep() const { return warpRows / 16 / stepsPerScale(); }
  /// Few rows of x: the sums of a group are scaled, in f32, rather than its
  /// weights; more exact, and cheaper where sums are fewer than weights.
  bool scalesSums() const { return blockM <= 32; }

  /// Programs that share a multiprocessor of 65536 registers: a thread has 128
  /// where that is enough, so that one program's end is another's middle.
  int64_t programsAtOnce() const {
    return registers + 24 <= 128 ? 65536 / 128 / threads() : 1;
  }

  /// x in shared memory: pieces of 64 columns, each blockM rows of 128 bytes.
  int64_t stageBytes() const { return blockK / 64 * blockM * 128; }
  /// Sums of the warps along K, f32; 4 more a row turn the banks.
  int64_t sumPitch() const { return blockN + 4; }
  int64_t sumBytes() const { return warpsK() * blockM * sumPitch() * 4; }
  int64_t sharedBytes() const {
    return std::max(options.stages * stageBytes(), sumBytes());
  }
};

/// The plan for `kernel`, whose weights are packed in groups of `groupRows`
/// rows; a refusal if the schedule does not match.
std::optional<Refusal> planMmaPacked(ir::KernelOp kernel,
                                     const MmaPackedOptions &options,
                                     MmaPackedPlan &plan);

} // namespace nibble

#endif // NIBBLE_CONVERSION_MMAPACKEDPLAN_H
