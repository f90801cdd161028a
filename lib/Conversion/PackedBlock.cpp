//===- Conversion/PackedBlock.cpp - A block of a packed product -----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See PackedBlock.h.
//
//===----------------------------------------------------------------------===//

#include "Conversion/PackedBlock.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::ir;

PackedBlock::PackedBlock(const MmaPackedPlan &plan, int splits, GpuBody &body)
    : WordMath(body.evaluator.builder()), plan(plan), splits(splits),
      body(body) {}

LogicalResult PackedBlock::locate() {
  TileEvaluator &evaluator = body.evaluator;
  StoreOp store = plan.product.store;
  FailureOr<Value> m = evaluator.scalar(store.getCoordinates()[0]),
                   n = evaluator.scalar(store.getCoordinates()[1]);
  FailureOr<Value> rowsInside = evaluator.extentInside(store, 0);
  if (failed(m) || failed(n) || failed(rowsInside))
    return failure();
  mBlock = *m;
  nBlock = *n;
  rows = narrow(*rowsInside);
  return success();
}

void PackedBlock::divide() {
  auto size = [&](MatrixType matrix, int dim) {
    return narrow(body.evaluator.sizeValue(matrix.getShape()[dim]));
  };
  lane = rem(body.thread, 32);
  // Lane 0's, which ptxas then knows to be all lanes': what follows from it
  // takes the registers and instructions that a warp shares.
  Value all = b.i32(-1);
  warp = b.make<NVVM::ShflOp>(b.op().getI32Type(), all, div(body.thread, 32),
                              b.i32(0), b.i32(31), NVVM::ShflKind::idx,
                              UnitAttr());
  Value unit = div(warp, plan.unitWarps());
  warpK = rem(unit, plan.warpsK());
  warpN = div(unit, plan.warpsK());
  K = size(cast<MatrixType>(plan.x.getType()), 1);
  StoreOp store = plan.product.store;
  Value N = size(store.getMatrix().getType(), 1);
  firstStep = b.i32(0);
  endStep = ceilDiv(K, plan.stageRows());
  endWarpStep = ceilDiv(K, MmaPackedPlan::warpRows);
  endRow = K;
  if (Value part = body.part) {
    Value all = endStep;
    firstStep = div(mul(all, part), splits);
    endStep = div(mul(all, add(part, b.i32(1))), splits);
    endWarpStep = b.make<arith::MinUIOp>(
        endWarpStep,
        mul(endStep, b.i32(plan.stageRows() / MmaPackedPlan::warpRows)));
    endRow = b.make<arith::MinUIOp>(K, mul(endStep, b.i32(plan.stageRows())));
  }
  tiles = ceilDiv(N, MmaPackedPlan::tileColumns);
  firstTile =
      mul(narrow(nBlock), b.i32(plan.blockN / MmaPackedPlan::tileColumns));
}

Value PackedBlock::warpColumn() {
  Value column = mul(warpN, b.i32(plan.tiles() * plan.tileWidth()));
  // Of the tiles that four warps take together each has 16 columns.
  return plan.wgmma ? add(column, mul(rem(warp, plan.unitWarps()),
                                      b.i32(MmaPackedPlan::tileColumns)))
                    : column;
}

Value PackedBlock::unit(Value step, int64_t u) {
  Value unit = add(mul(step, b.i32(plan.units())), b.i32(u));
  if (plan.wholeSteps)
    return unit;
  // Beyond K x is 0, and any codes will do.
  Value units = ceilDiv(K, plan.unitRows());
  return b.make<arith::MinUIOp>(unit, add(units, b.i32(-1)));
}

Value PackedBlock::group(Value step, int64_t s) {
  Value row = add(mul(step, b.i32(MmaPackedPlan::warpRows)),
                  b.i32(s * plan.stepsPerScale() * 16));
  Value group = div(row, plan.groupRows);
  if (plan.wholeSteps || plan.scalesPerStep() == 1)
    return group;
  auto scales = cast<MatrixType>(plan.scales.getType());
  Value groups = narrow(body.evaluator.sizeValue(scales.getShape()[0]));
  return b.make<arith::MinUIOp>(group, add(groups, b.i32(-1)));
}
