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
#include "Conversion/TileEvaluator.h"
#include "Conversion/WordMath.h"

namespace nibble {

/// The rows that a program gathers columns of.
class GatheredRows : WordMath {
public:
  /// How many bytes of shared memory they take in a program of `threads`
  /// threads; a refusal if not every row is known to be whole pieces of 16
  /// bytes, and of how many columns at most.
  static std::optional<Refusal> bytes(ir::GatherColumnsOp gather,
                                      int64_t threads, int64_t &bytes);

  /// Those of `gather` in the shared memory at `memory`.
  GatheredRows(ir::GatherColumnsOp gather, TileEvaluator &evaluator,
               int64_t threads, mlir::Value memory);

  /// Brings them, by all threads, of which this is number `thread` (i32). They
  /// are there when all have done so.
  mlir::LogicalResult bring(mlir::Value thread);

  /// The element of `gather` in `row` of the tile and the column of the matrix
  /// of number `column` (i32).
  mlir::Value element(const Position &row, mlir::Value column);

private:
  ir::GatherColumnsOp gather;
  TileEvaluator &evaluator;
  int64_t threads;
  Value memory, columns;
  mlir::Type type;
  /// Bytes of an element, and from a row to the next.
  int64_t size, pitch;
};

} // namespace nibble

#endif // NIBBLE_CONVERSION_GATHEREDROWS_H
