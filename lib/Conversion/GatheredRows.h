//===- Conversion/GatheredRows.h - Rows of a matrix in shared memory ------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Columns that a program gathers from memory are a line of L1 for each element.
// So the program can bring whole rows first, as they are and 16 bytes at a
// time, and gather from shared memory, where 32 elements are a few accesses.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_CONVERSION_GATHEREDROWS_H
#define NIBBLE_CONVERSION_GATHEREDROWS_H

#include "Conversion/Product.h"
#include "Conversion/Schedule.h"

namespace nibble {

/// The rows that a program of `threads` threads gathers columns of; none at
/// first.
struct GatheredRowsPlan {
  ir::GatherColumnsOp gather;
  int64_t threads = 0, rows = 0;
  /// From a row in shared memory to the next, in bytes: a multiple of what the
  /// threads bring at a time.
  int64_t pitch = 0;

  int64_t bytes() const { return rows * pitch; }
};

/// Plans to hold the rows of `gather`. A refusal if they need more than
/// `sharedBytes` of shared memory, or it is not known that each is whole pieces
/// of 16 bytes, and of how many columns at most.
std::optional<Refusal> planGatheredRows(ir::GatherColumnsOp gather,
                                        int64_t threads, int64_t sharedBytes,
                                        GatheredRowsPlan &plan);

/// Brings them by all threads, and takes what is gathered from there from now
/// on.
mlir::LogicalResult holdGatheredRows(const GatheredRowsPlan &plan,
                                     GpuBody &body);

} // namespace nibble

#endif // NIBBLE_CONVERSION_GATHEREDROWS_H
