//===- Conversion/StagedRows.cpp - Activations in shared memory -----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See StagedRows.h.
//
//===----------------------------------------------------------------------===//

#include "Conversion/StagedRows.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::ir;

StagedRows::StagedRows(const MmaPackedPlan &plan, TileEvaluator &evaluator,
                       Value shared, Value thread, Value firstRow, Value rows,
                       Value end)
    : WordMath(evaluator.builder()), plan(plan), evaluator(evaluator),
      element(plan.element()), shared(shared), firstRow(firstRow), rows(rows),
      end(end) {
  int64_t pieces = plan.stageRows() / 8;
  piece = rem(thread, pieces);
  pieceRow = div(thread, pieces);
  rowsAPass = plan.stagers() / pieces;
  passes = (plan.blockM + rowsAPass - 1) / rowsAPass;
  if (passes <= mostPasses || !plan.pipelined())
    all = locate(b.i32(0), passes);
}

/// This thread's rows of `count` passes from row `from` of the block on.
StagedRows::Rows StagedRows::locate(Value from, int64_t count) {
  auto matrix = cast<MatrixType>(plan.x.getType());
  const TileEvaluator::Matrix &x = evaluator.matrix(plan.x);
  Value rowStride =
      b.make<arith::IndexCastOp>(b.op().getI64Type(), x.rowStride);
  Rows found;
  Value row = add(from, pieceRow), address, place;
  for (int64_t pass = 0; pass < count; ++pass) {
    if (pass)
      row = add(row, b.i32(rowsAPass));
    found.inside.push_back(less(row, rows));
    // Without a pipeline what is gathered is read whether it is inside or not.
    Value held = plan.copiesX || plan.pipelined()
                     ? row
                     : select(found.inside.back(), row, b.i32(0));
    if (plan.copiesX && pass) {
      address =
          at(address, mul(rowStride, i64(rowsAPass)), matrix.getElementType());
    } else {
      Value elements = mul(wide(add(firstRow, held)), rowStride);
      if (plan.copiesX)
        elements = add(elements, wide(mul(piece, b.i32(8))));
      address = at(x.address, elements, matrix.getElementType());
    }
    found.address.push_back(address);
    if (pass && rowsAPass % 8 == 0) {
      place = add(place, b.i32(rowsAPass * 128));
    } else {
      Value chunk = b.make<arith::XOrIOp>(rem(piece, 8), rem(row, 8));
      place = add(mul(div(piece, 8), b.i32(plan.blockM * 128)),
                  add(mul(row, b.i32(128)), mul(chunk, b.i32(16))));
    }
    found.placeInStage.push_back(place);
  }
  return found;
}

/// This thread's elements of x for `step`, converted, one vector of 8 a row.
/// Rows are read in the order in which W's were before they were packed.
SmallVector<Value> StagedRows::gather(const Rows &from, Value step) {
  Type xType = cast<MatrixType>(plan.x.getType()).getElementType();
  Value first = add(mul(step, b.i32(plan.stageRows())), mul(piece, b.i32(8)));
  Value zero = b.splat(element, 0);
  auto eight = VectorType::get({8}, element);
  Values there, columns;
  for (int64_t j = 0; j < 8; ++j) {
    Value k = add(first, b.i32(j));
    there.push_back(less(k, end));
    k = select(there.back(), k, b.i32(0));
    if (plan.permutation) {
      Type word = b.op().getI32Type();
      Value rowOfW = evaluator.matrix(plan.permutation).address;
      k = b.make<LLVM::LoadOp>(word, at(rowOfW, wide(k), word),
                               /*alignment=*/4);
    }
    columns.push_back(wide(k));
  }
  auto read = [&](Value row) {
    Values elements;
    for (auto [isThere, k] : llvm::zip_equal(there, columns)) {
      Value value = b.make<LLVM::LoadOp>(xType, at(row, k, xType),
                                         xType.getIntOrFloatBitWidth() / 8);
      elements.push_back(
          select(isThere, evaluator.convert(value, element), zero));
    }
    return Values{b.make<vector::FromElementsOp>(eight, elements)};
  };
  Values vectors;
  for (auto [row, inside] : llvm::zip_equal(from.address, from.inside))
    // Threads that do nothing else read no row that is not there.
    vectors.append(plan.pipelined()
                       ? branch(inside, {b.splat(eight, 0)},
                                [&, row = row] { return read(row); })
                       : read(row));
  return vectors;
}

SmallVector<Value> StagedRows::fetch(const Rows &from, Value step, Value slot) {
  Value first = mul(step, b.i32(plan.stageRows()));
  if (!plan.copiesX) {
    Values zeros(from.address.size(),
                 b.splat(VectorType::get({8}, element), 0));
    return branch(less(first, end), zeros, [&] { return gather(from, step); });
  }
  Value inEnd = less(add(first, mul(piece, b.i32(8))), end);
  Value bytes = wide(mul(step, b.i32(plan.stageRows() * 2)));
  for (auto [r, isRow] : llvm::enumerate(from.inside)) {
    // Rows beyond the last may hold anything: each row of x has sums of its
    // own. Columns beyond K are multiplied, and must be 0.
    Value copied = plan.wholeSteps ? both(isRow, inEnd) : isRow;
    b.when(copied, [&, r = r] {
      Value source = at(from.address[r], bytes), size;
      if (!plan.wholeSteps) {
        source = select(inEnd, source, from.address[r]);
        size = select(inEnd, b.i32(16), b.i32(0));
      }
      b.create<NVVM::CpAsyncOp>(at(shared, add(slot, from.placeInStage[r])),
                                source, 16, NVVM::LoadCacheModifierKind::CG,
                                size);
    });
  }
  return Values();
}

void StagedRows::place(const Rows &from, ValueRange values, Value slot) {
  for (auto [r, value] : llvm::enumerate(values)) {
    b.when(from.inside[r], [&, r = r, value = value] {
      b.create<LLVM::StoreOp>(value,
                              at(shared, add(slot, from.placeInStage[r])), 16);
    });
  }
}

SmallVector<Value> StagedRows::fetch(Value step, Value slot) {
  return fetch(all, step, slot);
}

void StagedRows::place(ValueRange values, Value slot) {
  place(all, values, slot);
}

void StagedRows::bring(Value step, Value slot) {
  if (passes <= mostPasses)
    return place(fetch(step, slot), slot);
  auto loop =
      b.create<scf::ForOp>(b.i32(0), rows, b.i32(mostPasses * rowsAPass));
  b.inBlock(loop.getBody(), [&] {
    Rows some = locate(loop.getInductionVar(), mostPasses);
    place(some, fetch(some, step, slot), slot);
  });
}
