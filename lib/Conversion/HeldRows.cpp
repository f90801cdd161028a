//===- Conversion/HeldRows.cpp - All of a block's x in shared memory ------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See HeldRows.h.
//
//===----------------------------------------------------------------------===//

#include "Conversion/HeldRows.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace nibble;

HeldRows::HeldRows(const MmaPackedPlan &plan, TileEvaluator &evaluator,
                   Value memory)
    : WordMath(evaluator.builder()), plan(plan), memory(memory) {
  const TileEvaluator::Matrix &matrix = evaluator.matrix(plan.x);
  x = matrix.address;
  rowStride = b.make<arith::IndexCastOp>(b.op().getI64Type(), matrix.rowStride);
}

/// Where `column` lies among the pieces of 8 rows, in bytes.
Value HeldRows::offset(Value column) {
  Value number = b.make<arith::XOrIOp>(column, rem(div(column, 8), 8));
  return mul(number, b.i32(16));
}

Value HeldRows::place(Value column, int64_t m) {
  return at(memory, add(offset(column), b.i32(m * plan.heldPitch())));
}

/// How many of the block's `m`-th 8 rows there may be.
int64_t HeldRows::rowsOf(int64_t m) const {
  return std::min<int64_t>(plan.heldRows - m * 8, 8);
}

/// Writes a piece of eight columns, given row by row as four words each, column
/// by column. What a column has beyond the rows there may be is never stored.
void HeldRows::write(ValueRange words, Value piece, int64_t m) {
  int64_t rows = rowsOf(m);
  Value first = offset(mul(piece, b.i32(8)));
  for (int64_t c = 0; c < 8; ++c) {
    // Of each two rows the halves of column c, in one word.
    Values pairs;
    for (int64_t r = 0; r < rows; r += 2) {
      Value word = b.make<vector::ExtractOp>(words[r], c / 2);
      if (r + 1 < rows)
        word = b.make<NVVM::PermuteOp>(
            word.getType(), word,
            b.make<vector::ExtractOp>(words[r + 1], c / 2),
            b.i32(c % 2 ? 0x7632 : 0x5410), NVVM::PermuteMode::DEFAULT);
      else if (c % 2)
        word = b.make<arith::ShRUIOp>(word, b.i32(16));
      pairs.push_back(word);
    }
    if (pairs.size() == 3)
      pairs.push_back(pairs.back());
    auto count = static_cast<int64_t>(pairs.size());
    Value all = b.make<vector::FromElementsOp>(
        VectorType::get({count}, b.op().getI32Type()), pairs);
    Value place = add(b.make<arith::XOrIOp>(first, b.i32(c * 16)),
                      b.i32(m * plan.heldPitch()));
    b.create<LLVM::StoreOp>(all, at(memory, place), 4 * count);
  }
}

void HeldRows::bring(Value thread, Value firstRow, Value rows, Value K) {
  auto four = VectorType::get({4}, b.op().getI32Type());
  Value zero = b.splat(four, 0), pieces = div(K, 8);
  // Rows beyond the last repeat it.
  Value last = add(rows, b.i32(-1));
  Values from;
  for (int64_t r = 0; r < plan.heldRows; ++r) {
    Value row = b.make<arith::MinUIOp>(b.i32(r), last);
    from.push_back(
        at(x, mul(wide(add(firstRow, row)), rowStride), plan.element()));
  }
  int64_t threads = plan.threads(), atOnce = plan.heldAtOnce();
  auto loop = b.create<scf::ForOp>(thread, pieces, b.i32(atOnce * threads));
  b.inBlock(loop.getBody(), [&] {
    Values piece;
    SmallVector<Values> words;
    for (int64_t i = 0; i < atOnce; ++i) {
      piece.push_back(add(loop.getInductionVar(), b.i32(i * threads)));
      Values none(from.size(), zero);
      words.push_back(branch(less(piece[i], pieces), none, [&] {
        return llvm::map_to_vector<6>(from, [&](Value row) -> Value {
          return b.create<LLVM::LoadOp>(
              four, at(row, mul(wide(piece[i]), i64(16))), 16);
        });
      }));
    }
    for (int64_t i = 0; i < atOnce; ++i)
      b.when(less(piece[i], pieces), [&] {
        for (int64_t m = 0; m < plan.tokens(); ++m)
          if (rowsOf(m) > 0)
            write(ValueRange(words[i]).slice(m * 8, rowsOf(m)), piece[i], m);
      });
  });
  if (plan.wholeSteps)
    return;
  b.when(less(thread, b.i32(8)), [&] {
    for (int64_t m = 0; m < plan.tokens(); ++m)
      b.create<LLVM::StoreOp>(zero, place(add(nothing(), thread), m), 16);
  });
}
