//===- Conversion/GatheredRows.cpp - Rows of a matrix in shared memory ----===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See GatheredRows.h.
//
//===----------------------------------------------------------------------===//

#include "Conversion/GatheredRows.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::ir;

static int64_t sizeOf(MatrixType matrix) {
  return matrix.getElementType().getIntOrFloatBitWidth() / 8;
}

/// From a row in shared memory to the next, where that many columns are known:
/// a multiple of what the threads bring at a time.
static std::optional<int64_t> pitchOf(GatherColumnsOp gather, int64_t threads) {
  MatrixType matrix = gather.getMatrix().getType();
  std::optional<int64_t> most = gather->getParentOfType<KernelOp>().knownMost(
      matrix.getShape()[1].getText());
  if (!most)
    return std::nullopt;
  return static_cast<int64_t>(
      llvm::alignTo(*most * sizeOf(matrix), threads * 16));
}

std::optional<Refusal> GatheredRows::bytes(GatherColumnsOp gather,
                                           int64_t threads, int64_t &bytes) {
  auto kernel = gather->getParentOfType<KernelOp>();
  auto argument = cast<BlockArgument>(gather.getMatrix());
  MatrixType matrix = gather.getMatrix().getType();
  int64_t rowBytes = kernel.knownDivisor(matrix.getShape()[1]) * sizeOf(matrix);
  if (matrix.getStrided() || rowBytes % 16 != 0 ||
      kernel.getArgAlignment(argument.getArgNumber()) % 16 != 0)
    return Refusal{gather, "holds rows that are not known to be whole pieces "
                           "of 16 bytes"};
  std::optional<int64_t> pitch = pitchOf(gather, threads);
  if (!pitch)
    return Refusal{gather, "holds rows of which no most columns are known"};
  bytes = gather.getTile().getType().getDim(0) * *pitch;
  return std::nullopt;
}

GatheredRows::GatheredRows(GatherColumnsOp gather, TileEvaluator &evaluator,
                           int64_t threads, Value memory)
    : WordMath(evaluator.builder()), gather(gather), evaluator(evaluator),
      threads(threads), memory(memory) {
  MatrixType matrix = gather.getMatrix().getType();
  type = matrix.getElementType();
  size = sizeOf(matrix);
  pitch = *pitchOf(gather, threads);
  columns = narrow(evaluator.sizeValue(matrix.getShape()[1]));
}

LogicalResult GatheredRows::bring(Value thread) {
  MatrixType matrix = gather.getMatrix().getType();
  const TileEvaluator::Matrix &x = evaluator.matrix(gather.getMatrix());
  FailureOr<Value> tile = evaluator.scalar(gather.getRow());
  if (failed(tile))
    return failure();
  auto four = VectorType::get({4}, b.op().getI32Type());
  int64_t rows = gather.getTile().getType().getDim(0);
  int64_t turnBytes = threads * 16;
  Value lastPiece = add(div(columns, 16 / size), b.i32(-1));
  Value lastRow = add(evaluator.sizeValue(matrix.getShape()[0]), b.index(-1));
  Value place = at(memory, mul(thread, b.i32(16)));

  // As many pieces as registers hold, so that a thread waits for memory once.
  // Where there are no more the last one comes again.
  constexpr size_t atOnce = 8;
  SmallVector<std::pair<Value, int64_t>, atOnce> pieces;
  auto write = [&] {
    for (auto [words, offset] : pieces)
      b.create<LLVM::StoreOp>(words, at(place, b.i32(offset)), 16);
    pieces.clear();
  };
  for (int64_t r = 0; r < rows; ++r) {
    Value row = b.make<arith::MinUIOp>(
        add(mul(*tile, b.index(rows)), b.index(r)), lastRow);
    Value from = at(
        x.address,
        b.make<arith::IndexCastOp>(b.op().getI64Type(), mul(row, x.rowStride)),
        type);
    for (int64_t offset = 0; offset < pitch; offset += turnBytes) {
      Value number =
          b.make<arith::MinUIOp>(add(thread, b.i32(offset / 16)), lastPiece);
      Value words = b.create<LLVM::LoadOp>(
          four, at(from, mul(wide(number), i64(16))), 16);
      pieces.push_back({words, r * pitch + offset});
      if (pieces.size() == atOnce)
        write();
    }
  }
  write();
  return success();
}

Value GatheredRows::element(const Position &row, Value column) {
  Value there = less(column, columns);
  Value bytes = mul(select(there, column, b.i32(0)), b.i32(size));
  Value from = at(memory, add(narrow(row.times(pitch).materialise(b)), bytes));
  Value loaded = b.create<LLVM::LoadOp>(type, from, size);
  loaded = select(there, loaded, b.splat(type, 0));
  return evaluator.convert(loaded, getElementTypeOrSelf(evaluator.elementType(
                                       gather.getTile().getType(), 1)));
}
