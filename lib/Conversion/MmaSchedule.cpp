//===- Conversion/MmaSchedule.cpp - Matrix products on tensor cores -------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The schedule `mma`. Each step over K goes
//
//   registers  <- both operands' elements of the next step   (loads in flight)
//   mma.sync   <- ldmatrix <- this step's stage in shared memory
//   next stage <- registers
//   barrier
//
// One barrier a step is enough: a stage is written only after the barrier that
// follows its last read. The last step computes its own operands once more
// rather than branch.
//
// mma.m16n8k16 (PTX ISA, "Matrix Fragments for mma.m16n8k16"): lane l holds of
// the accumulator rows l / 4 and l / 4 + 8, columns 2 (l % 4) and one more.
// ldmatrix gives its operands in that order from rows of 16 bytes; for the
// right operand, which is staged row by row of K, it transposes.
//
//===----------------------------------------------------------------------===//

#include "Conversion/MmaPlan.h"
#include "Conversion/Schedule.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include <numeric>

using namespace mlir;
using namespace nibble;
using namespace nibble::ir;

namespace {

/// Builds the body of one kernel.
class MmaBuilder {
public:
  MmaBuilder(const MmaPlan &plan, TileEvaluator &evaluator, Value thread,
             Value shared);
  LogicalResult build();

private:
  /// A piece of an operand on its way to shared memory: vectors of `lanes`
  /// elements, each with its place in a stage.
  struct Staged {
    Value value;
    Position place;
    int lanes;
    Value condition;
  };
  std::pair<Position, Value> pieceFrom(int64_t first, int64_t pieces);
  LogicalResult computeLhs(SmallVectorImpl<Staged> &staged);
  LogicalResult computeRhs(SmallVectorImpl<Staged> &staged);
  LogicalResult computeOperands(Value step, SmallVectorImpl<Staged> &staged);
  void writeStage(ArrayRef<Staged> staged, Value stage);
  void multiply(Value stage, MutableArrayRef<Value> sums);
  SmallVector<Value, 4> loadMatrices(Value stage, const Position &place,
                                     int64_t bytes, bool transpose);
  Value sharedAt(Value base, const Position &place, int64_t bytes);
  LogicalResult writeBack(ValueRange sums);

  const MmaPlan &plan;
  TileEvaluator &evaluator;
  ValueBuilder &b;
  Type element;
  Value shared;
  Position thread, lane, warpRow, warpColumn;
  SmallVector<Position> rows, columns; // of this lane's accumulators
};

MmaBuilder::MmaBuilder(const MmaPlan &plan, TileEvaluator &evaluator,
                       Value threadId, Value shared)
    : plan(plan), evaluator(evaluator), b(evaluator.builder()), shared(shared) {
  element = cast<TileType>(plan.product.dot->getOperand(0).getType())
                .getElementType();
  thread = Position::of(threadId, 1, plan.threads());
  lane = thread.remainder(b, 32);
  Position warp = thread.dividedBy(b, 32);
  warpRow = warp.remainder(b, plan.warpsM).times(plan.warpRows());
  warpColumn = warp.dividedBy(b, plan.warpsM).times(plan.warpColumns());
  Position quad = lane.dividedBy(b, 4);
  for (int64_t row = 0; row < plan.warpRows(); row += 8)
    rows.push_back(warpRow + quad + Position(row));
  Position pair = lane.remainder(b, 4).times(2);
  for (int64_t column = 0; column < plan.warpColumns(); column += 8)
    columns.push_back(warpColumn + pair + Position(column));
}

Value MmaBuilder::sharedAt(Value base, const Position &place, int64_t bytes) {
  Type pointer = shared.getType();
  Type byte = b.op().getI8Type();
  auto at = [&](Value from, LLVM::GEPArg offset) -> Value {
    return b.make<LLVM::GEPOp>(pointer, byte, from,
                               ArrayRef<LLVM::GEPArg>{offset});
  };
  Value offset = b.make<arith::IndexCastOp>(
      b.op().getI64Type(), place.withoutOffset().times(bytes).materialise(b));
  return at(at(base, offset), static_cast<int32_t>(place.getOffset() * bytes));
}

//===----------------------------------------------------------------------===//
// Staging
//===----------------------------------------------------------------------===//

/// The piece of this thread among those from `first` on, and whether it has
/// one; null if every thread has. Threads without a piece compute the first one
/// and do not write it.
std::pair<Position, Value> MmaBuilder::pieceFrom(int64_t first,
                                                 int64_t pieces) {
  Position piece = thread + Position(first);
  if (pieces - first >= plan.threads())
    return {piece, Value()};
  Value condition = b.make<arith::CmpIOp>(
      arith::CmpIPredicate::ult, piece.materialise(b), b.index(pieces));
  Value own =
      b.make<arith::SelectOp>(condition, piece.materialise(b), b.index(0));
  return {Position::of(own, 1, pieces), condition};
}

LogicalResult MmaBuilder::computeLhs(SmallVectorImpl<Staged> &staged) {
  Value lhs = plan.product.dot->getOperand(0);
  int lanes = evaluator.usableLanes(lhs, 8);
  int64_t perRow = plan.blockK / lanes;
  int64_t pieces = plan.blockM * perRow;
  for (int64_t first = 0; first < pieces; first += plan.threads()) {
    auto [piece, condition] = pieceFrom(first, pieces);
    Position row = piece.dividedBy(b, perRow);
    Position column = piece.remainder(b, perRow).times(lanes);
    FailureOr<TileEvaluator::Elements> values =
        evaluator.evaluate(lhs, row, column, lanes);
    if (failed(values))
      return failure();
    staged.push_back(
        {(*values)[0], row.times(plan.lhsPitch()) + column, lanes, condition});
  }
  return success();
}

LogicalResult MmaBuilder::computeRhs(SmallVectorImpl<Staged> &staged) {
  Value rhs = plan.product.dot->getOperand(1);
  int lanes = evaluator.usableLanes(rhs, 4);
  // A thread takes all rows that share a word.
  int64_t height = std::gcd(evaluator.rowsPerWord(rhs), plan.blockK);
  int64_t perRow = plan.blockN / lanes;
  int64_t pieces = plan.blockK / height * perRow;
  for (int64_t first = 0; first < pieces; first += plan.threads()) {
    auto [piece, condition] = pieceFrom(first, pieces);
    Position row = piece.dividedBy(b, perRow).times(height);
    Position column = piece.remainder(b, perRow).times(lanes);
    SmallVector<Position> down;
    for (int64_t i = 0; i < height; ++i)
      down.push_back(row + Position(i));
    FailureOr<TileEvaluator::Elements> values =
        evaluator.evaluate(rhs, down, column, lanes);
    if (failed(values))
      return failure();
    for (auto [value, at] : llvm::zip(*values, down))
      staged.push_back(
          {value,
           at.times(plan.rhsPitch()) + column + Position(plan.lhsBytes() / 2),
           lanes, condition});
  }
  return success();
}

LogicalResult MmaBuilder::computeOperands(Value step,
                                          SmallVectorImpl<Staged> &staged) {
  scf::ForOp loop = plan.product.loop;
  evaluator.map(loop.getInductionVar(), step);
  if (failed(computeLhs(staged)) || failed(computeRhs(staged)))
    return failure();
  for (Staged &each : staged)
    each.value = evaluator.convert(each.value, element);
  return success();
}

void MmaBuilder::writeStage(ArrayRef<Staged> staged, Value stage) {
  for (const Staged &each : staged) {
    auto write = [&, &each = each] {
      Value place = sharedAt(stage, each.place, 2);
      b.create<LLVM::StoreOp>(each.value, place, each.lanes * 2);
    };
    if (!each.condition) {
      write();
      continue;
    }
    b.when(each.condition, write);
  }
}

//===----------------------------------------------------------------------===//
// Multiplying
//===----------------------------------------------------------------------===//

SmallVector<Value, 4> MmaBuilder::loadMatrices(Value stage,
                                               const Position &place,
                                               int64_t bytes, bool transpose) {
  MLIRContext *context = element.getContext();
  Type i32 = b.op().getI32Type();
  Type result = LLVM::LLVMStructType::getLiteral(context, {i32, i32, i32, i32});
  auto loaded = b.create<NVVM::LdMatrixOp>(
      result, sharedAt(stage, place, bytes), /*num=*/4,
      transpose ? NVVM::MMALayout::col : NVVM::MMALayout::row,
      NVVM::LdStMatrixShapeAttr::get(context, 8, 8),
      NVVM::LdStMatrixEltType::B16);
  SmallVector<Value, 4> matrices;
  for (int64_t i = 0; i < 4; ++i) {
    Value word = b.create<LLVM::ExtractValueOp>(loaded.getRes(), i);
    // The operation takes pairs of f16 as vectors and pairs of bf16 as words.
    if (element.isF16())
      word = b.create<LLVM::BitcastOp>(VectorType::get({2}, element), word);
    matrices.push_back(word);
  }
  return matrices;
}

void MmaBuilder::multiply(Value stage, MutableArrayRef<Value> sums) {
  MLIRContext *context = element.getContext();
  Type f32 = b.op().getF32Type();
  Type result = LLVM::LLVMStructType::getLiteral(context, {f32, f32, f32, f32});
  // Lanes 0-15 name the rows of the left two matrices, 16-31 of the right two.
  Position row = lane.remainder(b, 16);
  Position half = lane.dividedBy(b, 16).times(8);
  Position lhs = (warpRow + row).times(plan.lhsPitch()) + half;
  Position rhs = row.times(plan.rhsPitch()) + warpColumn + half +
                 Position(plan.lhsBytes() / 2);
  int64_t wide = plan.warpColumns() / 8;
  NVVM::MMATypes type =
      element.isF16() ? NVVM::MMATypes::f16 : NVVM::MMATypes::bf16;
  for (int64_t k = 0; k < plan.blockK; k += 16) {
    SmallVector<SmallVector<Value, 4>> left, right;
    for (int64_t m = 0; m < plan.warpRows(); m += 16)
      left.push_back(loadMatrices(
          stage, lhs + Position(m * plan.lhsPitch() + k), 2, false));
    for (int64_t n = 0; n < plan.warpColumns(); n += 16)
      right.push_back(loadMatrices(
          stage, rhs + Position(k * plan.rhsPitch() + n), 2, true));
    for (auto [m, a] : llvm::enumerate(left))
      for (int64_t n = 0; n < wide; ++n) {
        ArrayRef<Value> w = ArrayRef(right[n / 2]).slice(n % 2 * 2, 2);
        MutableArrayRef<Value> sum = sums.slice((m * wide + n) * 4, 4);
        auto product = b.create<NVVM::MmaOp>(
            result, ValueRange(a), ValueRange(w), ValueRange(sum),
            ArrayRef<int64_t>{16, 8, 16}, std::nullopt, std::nullopt,
            std::array<NVVM::MMATypes, 2>{type, type},
            std::array<NVVM::MMALayout, 2>{NVVM::MMALayout::row,
                                           NVVM::MMALayout::col});
        for (int64_t i = 0; i < 4; ++i)
          sum[i] = b.create<LLVM::ExtractValueOp>(product.getRes(), i);
      }
  }
}

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

LogicalResult MmaBuilder::writeBack(ValueRange sums) {
  scf::ForOp loop = plan.product.loop;
  StoreOp store = plan.product.store;
  int lanes = evaluator.usableLanes(store, 2);
  SmallVector<Position> across;
  for (const Position &pair : columns)
    for (int64_t i = 0; i < 2; i += lanes)
      across.push_back(pair + Position(i));
  // Sum (m, n, i) lies in row 2 m + i / 2 of this lane's, column 2 n + i % 2.
  size_t wide = columns.size();
  auto sumAt = [&](size_t row, size_t column) -> Value {
    return sums[(row / 2 * wide + column / 2) * 4 + row % 2 * 2 + column % 2];
  };
  evaluator.bind(
      loop.getResult(0),
      [&](TileEvaluator::Positions r, TileEvaluator::Positions c,
          int l) -> FailureOr<TileEvaluator::Elements> {
        if (r != TileEvaluator::Positions(rows) ||
            c != TileEvaluator::Positions(across) || l != lanes)
          return loop.emitOpError("gives a tile that is used at other elements "
                                  "than it is computed at"),
                 failure();
        TileEvaluator::Elements elements;
        for (size_t row = 0; row < rows.size(); ++row)
          for (size_t column = 0; column < 2 * wide; column += lanes) {
            Value first = sumAt(row, column);
            if (lanes == 2)
              first = b.make<vector::FromElementsOp>(
                  VectorType::get({2}, b.op().getF32Type()),
                  ValueRange{first, sumAt(row, column + 1)});
            elements.push_back(first);
          }
        return elements;
      });
  LogicalResult result = evaluator.store(store, rows, across, lanes);
  evaluator.unbind(loop.getResult(0));
  return result;
}

LogicalResult MmaBuilder::build() {
  scf::ForOp loop = plan.product.loop;
  FailureOr<Value> lower = evaluator.scalar(loop.getLowerBound()),
                   upper = evaluator.scalar(loop.getUpperBound()),
                   stride = evaluator.scalar(loop.getStep());
  if (failed(lower) || failed(upper) || failed(stride))
    return failure();

  // The initial sums, at the accumulators' elements in their order.
  SmallVector<Value> sums;
  for (size_t m = 0; m < rows.size(); m += 2)
    for (const Position &pair : columns) {
      SmallVector<Position> down = {rows[m], rows[m + 1]};
      SmallVector<Position> across = {pair, pair + Position(1)};
      FailureOr<TileEvaluator::Elements> initial =
          evaluator.evaluate(loop.getInitArgs()[0], down, across, 1);
      if (failed(initial))
        return failure();
      llvm::append_range(sums, *initial);
    }

  LogicalResult result = success();
  Value any = b.make<arith::CmpIOp>(arith::CmpIPredicate::ult, *lower, *upper);
  b.when(any, [&] {
    SmallVector<Staged> staged;
    result = computeOperands(*lower, staged);
    if (succeeded(result))
      writeStage(staged, shared);
  });
  b.create<NVVM::Barrier0Op>();

  Value last = b.make<arith::SubIOp>(*upper, *stride);
  SmallVector<Value> carried = sums;
  carried.push_back(b.index(0));
  auto steps = b.create<scf::ForOp>(*lower, *upper, *stride, carried);
  if (!steps.getBody()->empty())
    steps.getBody()->back().erase();
  b.inBlock(steps.getBody(), [&] {
    SmallVector<Value> next(steps.getRegionIterArgs().drop_back());
    Value offset = steps.getRegionIterArgs().back();
    auto stageAt = [&](Value bytes) {
      return sharedAt(shared, Position::of(bytes, 1, 0), 1);
    };
    Value other = b.make<arith::SubIOp>(b.index(plan.stageBytes()), offset);
    Value following = b.make<arith::MinUIOp>(
        b.make<arith::AddIOp>(steps.getInductionVar(), *stride), last);
    SmallVector<Staged> staged;
    if (failed(result) || failed(computeOperands(following, staged))) {
      result = failure();
      b.create<scf::YieldOp>(steps.getRegionIterArgs());
      return;
    }
    multiply(stageAt(offset), next);
    writeStage(staged, stageAt(other));
    b.create<NVVM::Barrier0Op>();
    next.push_back(other);
    b.create<scf::YieldOp>(next);
  });
  if (failed(result))
    return failure();
  return writeBack(steps.getResults().drop_back());
}

} // namespace

LogicalResult nibble::scheduleMma(KernelOp kernel, int warps,
                                  int64_t sharedBytes) {
  if (failed(checkSchedulable(kernel)))
    return failure();
  MmaPlan plan;
  if (auto refusal = planMma(kernel, warps, sharedBytes, plan))
    return emitRefusal("mma", *refusal);

  EvaluatorOptions options;
  options.addressSpace = 1;
  options.nativeHalf = true;
  return buildGpuFunction(
      kernel, "mma", plan.threads(), plan.sharedBytes(), options,
      [&](GpuBody &body) {
        ValueBuilder &b = body.evaluator.builder();
        Value thread =
            b.make<arith::IndexCastUIOp>(b.op().getIndexType(), body.thread);
        return MmaBuilder(plan, body.evaluator, thread, body.shared).build();
      });
}
