//===- Conversion/BlockSums.cpp - Sums of a block of y -------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See BlockSums.h.
//
//===----------------------------------------------------------------------===//

#include "Conversion/BlockSums.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::ir;

/// Waits for the threads of the block that multiply.
void BlockSums::barrier() {
  if (plan.pipelined())
    // Barrier 0 is that of all threads.
    b.create<NVVM::BarrierOp>(TypeRange(), b.i32(1), b.i32(plan.multipliers()),
                              NVVM::BarrierReductionAttr(), Value());
  else
    b.create<NVVM::Barrier0Op>();
}

/// Waits for all threads that share sums: of the block, or of its cluster.
void BlockSums::synchronize() {
  if (!body.part) {
    barrier();
    return;
  }
  // Not the aligned forms: threads come from loops of different lengths.
  b.create<NVVM::ClusterArriveOp>(UnitAttr());
  b.create<NVVM::ClusterWaitOp>(UnitAttr());
}

/// The shared memory of block `number` of the cluster where `address` is ours.
Value BlockSums::ofBlock(Value address, int64_t number) {
  return b.create<NVVM::MapaOp>(clusterPointer(), address, b.i32(number));
}

LogicalResult BlockSums::store(const Warp &warp, ValueRange sums, Value rows) {
  TileEvaluator &evaluator = body.evaluator;
  Value part = body.part;
  scf::ForOp loop = plan.product.loop;
  StoreOp store = plan.product.store;
  Type f32 = b.op().getF32Type();
  barrier();
  Value row =
      add(mul(warp.k, b.i32(plan.blockM)), mul(rem(warp.lane, 4), b.i32(2)));
  Value column = add(warp.column, div(warp.lane, 4));
  Value base =
      at(shared, mul(add(mul(row, b.i32(plan.sumPitch())), column), b.i32(4)));
  for (int64_t t = 0, n = 0; t < plan.tiles(); ++t)
    for (int64_t m = 0; m < plan.tokens(); ++m)
      for (int64_t i = 0; i < 4; ++i, ++n) {
        int64_t place = (m * 8 + i % 2) * plan.sumPitch() +
                        t * plan.tileWidth() + i / 2 * 8;
        b.create<LLVM::StoreOp>(sums[n], at(base, b.i32(place * 4)), 4);
      }
  synchronize();

  int lanes = evaluator.usableLanes(store, 4);
  int64_t perRow = plan.blockN / lanes;
  mlir::LogicalResult result = success();
  Value end = mul(rows, b.i32(perRow));
  // The blocks that divide K divide the elements, too.
  Value first = body.thread;
  if (part)
    first = add(first, mul(part, b.i32(plan.multipliers())));
  auto elements =
      b.create<scf::ForOp>(first, end, b.i32(plan.multipliers() * splits));
  b.inBlock(elements.getBody(), [&] {
    Position each = Position::of(asIndex(elements.getInductionVar()), 1,
                                 plan.blockM * perRow);
    Position down = each.dividedBy(b, perRow);
    Position across = each.remainder(b, perRow).times(lanes);
    auto source = [&](TileEvaluator::Positions r, TileEvaluator::Positions c,
                      int l) -> FailureOr<TileEvaluator::Elements> {
      FailureOr<TileEvaluator::Elements> totals =
          evaluator.evaluate(loop.getInitArgs()[0], r, c, l);
      if (failed(totals))
        return failure();
      auto total = totals->begin();
      for (const Position &atRow : r)
        for (const Position &atColumn : c) {
          Position place = atRow.times(plan.sumPitch() * 4) + atColumn.times(4);
          Value from = at(shared, narrow(place.materialise(b)));
          for (int64_t split = 0; split < splits; ++split) {
            Value block = part ? ofBlock(from, split) : from;
            for (int64_t k = 0; k < plan.warpsK(); ++k) {
              Value sum = b.create<LLVM::LoadOp>(
                  l == 1 ? f32 : Type(VectorType::get({l}, f32)),
                  at(block, b.i32(k * plan.blockM * plan.sumPitch() * 4)),
                  4 * l);
              *total = b.make<arith::AddFOp>(*total, sum);
            }
          }
          ++total;
        }
      return *totals;
    };
    evaluator.bind(loop.getResult(0), source);
    result = evaluator.store(store, down, across, lanes);
    evaluator.unbind(loop.getResult(0));
  });
  // A block's sums stay until the others have read them.
  if (part)
    synchronize();
  return result;
}
