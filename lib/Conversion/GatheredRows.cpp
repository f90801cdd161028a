//===- Conversion/GatheredRows.cpp - Rows of a matrix in shared memory ----===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See GatheredRows.h.
//
//===----------------------------------------------------------------------===//

#include "Conversion/GatheredRows.h"
#include "Conversion/WordMath.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::ir;

static int64_t bytesOf(MatrixType matrix) {
  return matrix.getElementType().getIntOrFloatBitWidth() / 8;
}

std::optional<Refusal> nibble::planGatheredRows(GatherColumnsOp gather,
                                                int64_t threads,
                                                int64_t sharedBytes,
                                                GatheredRowsPlan &plan) {
  auto kernel = gather->getParentOfType<KernelOp>();
  MatrixType matrix = gather.getMatrix().getType();
  if (!kernel.hasWholePieces(cast<BlockArgument>(gather.getMatrix())))
    return Refusal{gather, "holds rows that are not known to be whole pieces "
                           "of 16 bytes"};
  std::optional<int64_t> most = kernel.knownMost(matrix.getShape()[1]);
  if (!most)
    return Refusal{gather, "holds rows of which no most columns are known"};
  plan = {gather, threads, gather.getTile().getType().getDim(0),
          static_cast<int64_t>(
              llvm::alignTo(*most * bytesOf(matrix), threads * 16))};
  if (plan.bytes() > sharedBytes)
    return Refusal{gather, "holds " + std::to_string(plan.bytes()) +
                               " bytes of rows in shared memory, of which a "
                               "program may use " +
                               std::to_string(sharedBytes)};
  return std::nullopt;
}

namespace {
/// The rows of one program.
class GatheredRows : WordMath {
public:
  GatheredRows(const GatheredRowsPlan &plan, GpuBody &body)
      : WordMath(body.evaluator.builder()), plan(plan),
        matrix(GatherColumnsOp(plan.gather).getMatrix()),
        type(cast<MatrixType>(matrix.getType())), evaluator(body.evaluator),
        memory(body.shared),
        columns(narrow(evaluator.sizeValue(type.getShape()[1]))) {}

  LogicalResult bring(Value thread);
  FailureOr<Value> element(const Position &row, const Position &column);

private:
  GatheredRowsPlan plan;
  Value matrix;
  MatrixType type;
  TileEvaluator &evaluator;
  Value memory, columns;
};
} // namespace

/// Brings all rows, by all threads, of which this is number `thread`; they are
/// there when all have done so.
LogicalResult GatheredRows::bring(Value thread) {
  const TileEvaluator::Matrix &x = evaluator.matrix(matrix);
  FailureOr<Value> tile = evaluator.scalar(plan.gather.getRow());
  if (failed(tile))
    return failure();
  auto four = VectorType::get({4}, b.op().getI32Type());
  Value lastPiece = add(div(columns, 16 / bytesOf(type)), b.i32(-1));
  Value lastRow = b.make<arith::AddIOp>(evaluator.sizeValue(type.getShape()[0]),
                                        b.index(-1));
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
  for (int64_t r = 0; r < plan.rows; ++r) {
    Position row = Position::of(*tile, plan.rows, 0) + Position(r);
    Value offset = b.make<arith::MulIOp>(
        b.make<arith::MinUIOp>(row.materialise(b), lastRow), x.rowStride);
    Value from =
        at(x.address, b.make<arith::IndexCastOp>(b.op().getI64Type(), offset),
           type.getElementType());
    int64_t turn = plan.threads * 16;
    for (int64_t done = 0; done < plan.pitch; done += turn) {
      Value number =
          b.make<arith::MinUIOp>(add(thread, b.i32(done / 16)), lastPiece);
      Value words = b.create<LLVM::LoadOp>(
          four, at(from, mul(wide(number), i64(16))), 16);
      pieces.push_back({words, r * plan.pitch + done});
      if (pieces.size() == atOnce)
        write();
    }
  }
  write();
  return success();
}

/// What is gathered in `row` and `column` of the tile.
FailureOr<Value> GatheredRows::element(const Position &row,
                                       const Position &column) {
  auto number = evaluator.evaluate(plan.gather.getColumns(), Position(), column,
                                   /*lanes=*/1);
  if (failed(number))
    return failure();
  // As an unsigned number -1 is beyond every matrix.
  Value there = less(number->front(), columns);
  Value offset =
      mul(select(there, number->front(), b.i32(0)), b.i32(bytesOf(type)));
  Value from =
      at(memory, add(narrow(row.times(plan.pitch).materialise(b)), offset));
  Value loaded =
      b.create<LLVM::LoadOp>(type.getElementType(), from, bytesOf(type));
  loaded = select(there, loaded, b.splat(type.getElementType(), 0));
  TileType tile = plan.gather.getTile().getType();
  return evaluator.convert(
      loaded, getElementTypeOrSelf(evaluator.elementType(tile, 1)));
}

LogicalResult nibble::holdGatheredRows(const GatheredRowsPlan &plan,
                                       GpuBody &body) {
  GatheredRows rows(plan, body);
  if (failed(rows.bring(body.thread)))
    return failure();
  TileEvaluator &evaluator = body.evaluator;
  evaluator.builder().create<NVVM::Barrier0Op>();
  evaluator.bind(
      GatherColumnsOp(plan.gather).getTile(),
      [rows](TileEvaluator::Positions row, TileEvaluator::Positions column,
             int) mutable -> FailureOr<TileEvaluator::Elements> {
        FailureOr<Value> value = rows.element(row.front(), column.front());
        if (failed(value))
          return failure();
        return TileEvaluator::Elements{*value};
      });
  return success();
}
