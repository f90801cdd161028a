//===- Conversion/MmaPackedSchedule.cpp - Packed weights, tensor cores ----===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The schedule `mma_packed` with prefetch > 0 (MmaPipeline.cpp has the other
// way), for few rows of x, where time is the time to read the weights. A lane
// reads 16 bytes of packed weights at a time (of 3 bits, 16 and 8) straight
// into registers, several steps ahead and in the order that mma.m16n8k16 wants
// them in; x goes through shared memory, which all warps of a program read. A
// step:
//
//   wait for x of this step, barrier
//   x of step + stages - 1      -> shared memory       (cp.async)
//   weights of this step        -> fragments -> mma.sync, x by ldmatrix
//   weights of step + prefetch  -> registers            (loads in flight)
//
// FragmentProducts.h has the products, BlockSums.h what follows the loop. Where
// columns are few, the blocks of a cluster divide the steps over K.
//
//===----------------------------------------------------------------------===//

#include "Conversion/BlockSums.h"
#include "Conversion/FragmentProducts.h"
#include "Conversion/InlinePtx.h"
#include "Conversion/PackedBlock.h"
#include "Conversion/Schedule.h"
#include "Conversion/StagedRows.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::ir;

namespace {

/// Builds the body of one kernel.
class PackedBuilder : WordMath {
public:
  PackedBuilder(const MmaPackedPlan &plan, const MmaPackedOptions &options,
                GpuBody &body);
  LogicalResult build();

private:
  Values loadStreamed(Value condition, Value pointer, int64_t offset,
                      ValueRange before, bool keep);
  Values loadWeights(Value step, ValueRange before);
  Values step(Value step, int64_t prefetched, ValueRange carried);

  size_t sumCount() const { return plan.sums(); }
  size_t weightCount() const {
    return plan.tiles() * plan.laneWords() + plan.scaleWords();
  }
  Value nextSlot(Value slot);
  Values fetch(Value step, Value slot);

  const MmaPackedPlan &plan;
  const MmaPackedOptions &options;
  GpuBody &body;
  TileEvaluator &evaluator;
  Type element;
  layout::PackedOrder order;
  PackedBlock block;
  std::optional<FragmentProducts> products;
  /// part: which of the blocks that divide K this is; null if it is alone.
  Value shared, thread, part;
  /// This lane's place in each plane of the first unit and in the first row of
  /// scales, and the bytes from one to the next.
  Values codesAt;
  Value scalesAt, unitPitch, groupPitch;
  /// How many tiles are from a warp's first to each; empty where t is it.
  Values tileOffsets;
  std::optional<StagedRows> x;
};

PackedBuilder::PackedBuilder(const MmaPackedPlan &plan,
                             const MmaPackedOptions &options, GpuBody &body)
    : WordMath(body.evaluator.builder()), plan(plan), options(options),
      body(body), evaluator(body.evaluator), element(plan.element()),
      order(plan.order()), block(plan, options.splits, body),
      shared(body.shared), thread(body.thread), part(body.part) {}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

/// `condition ? the words at pointer + offset : before`. The load stays where
/// it is built: it is there to be in flight, and LLVM would move it to its use.
/// It is predicated rather than branched around, so that its results take the
/// registers of `before`; a copy at the end of a branch would wait for it.
/// Codes are read once: L1 does not `keep` them.
SmallVector<Value> PackedBuilder::loadStreamed(Value condition, Value pointer,
                                               int64_t offset,
                                               ValueRange before, bool keep) {
  size_t words = before.size();
  std::string text = "@" + operandList(words + 1, 1) + " ld.global.nc" +
                     (keep ? "" : ".L1::no_allocate") + ".v" +
                     std::to_string(words) + ".u32 {" + operandList(0, words) +
                     "}, [" + operandList(words, 1) + "+" +
                     std::to_string(offset) + "];";
  return changeByPtx(b, before, text, {pointer, condition}, "l,b");
}

/// The words of this warp's rows of `step`, unit by unit and tile by tile, then
/// its scales and zero points; `before` where there are no such rows.
SmallVector<Value> PackedBuilder::loadWeights(Value step, ValueRange before) {
  Value warpStep = add(mul(step, b.i32(plan.warpsK())), block.warpK);
  Value there = less(warpStep, block.endWarpStep);
  Values loaded;
  auto load = [&](Value row, int64_t tile, int64_t tileBytes, int64_t words,
                  bool keep) {
    Value from = row;
    int64_t offset = tile * tileBytes;
    if (!plan.wholeN) {
      from = at(row, mul(tileOffsets[tile], i64(tileBytes)));
      offset = 0;
    }
    llvm::append_range(loaded,
                       loadStreamed(there, from, offset,
                                    before.slice(loaded.size(), words), keep));
  };
  for (int64_t u = 0; u < plan.units(); ++u) {
    Value unit = block.unit(warpStep, u);
    Value toUnit = mul(wide(unit), unitPitch);
    for (int64_t t = 0; t < plan.tiles(); ++t)
      for (auto [plane, from] : llvm::zip_equal(order.planes(), codesAt))
        load(at(from, toUnit), t, 4 * order.unitWords(), plane.laneWords,
             /*keep=*/false);
  }
  for (int64_t s = 0; s < plan.scalesPerStep(); ++s) {
    // A step within one group is the group's number but for a factor.
    constexpr int64_t warpRows = MmaPackedPlan::warpRows;
    Value group = plan.groupRows % warpRows == 0
                      ? div(warpStep, plan.groupRows / warpRows)
                      : block.group(warpStep, s);
    Value row = at(scalesAt, mul(wide(group), groupPitch));
    for (int64_t t = 0; t < plan.tiles(); ++t)
      load(row, t, 64, 2, /*keep=*/true);
  }
  return loaded;
}

//===----------------------------------------------------------------------===//
// The loop
//===----------------------------------------------------------------------===//

Value PackedBuilder::nextSlot(Value slot) {
  Value next = add(slot, b.i32(plan.stageBytes()));
  Value end = b.i32(plan.stages * plan.stageBytes());
  return select(less(next, end), next, b.i32(0));
}

/// Begins to bring x of `step` to `slot`, as a group of copies of its own.
SmallVector<Value> PackedBuilder::fetch(Value step, Value slot) {
  Values values = x->fetch(step, slot);
  if (plan.copiesX)
    b.create<NVVM::CpAsyncCommitGroupOp>();
  return values;
}

/// One step. What is carried: the sums, the weights of each step ahead (this
/// one's are number `prefetched`), the slot of x.
SmallVector<Value> PackedBuilder::step(Value step, int64_t prefetched,
                                       ValueRange carried) {
  Value slot = carried.back();
  if (plan.copiesX)
    b.create<NVVM::CpAsyncWaitGroupOp>(plan.stages - 2);
  b.create<NVVM::Barrier0Op>();
  // The slot before this one was read in the step before.
  Value filled =
      select(b.make<arith::CmpIOp>(arith::CmpIPredicate::eq, slot, b.i32(0)),
             b.i32((plan.stages - 1) * plan.stageBytes()),
             add(slot, b.i32(-plan.stageBytes())));
  Values fetched = fetch(add(step, b.i32(plan.stages - 1)), filled);
  ValueRange sums = carried.take_front(sumCount());
  ValueRange weights =
      carried.slice(sumCount() + prefetched * weightCount(), weightCount());
  Value own = add(slot, mul(block.warpK, b.i32(2 * plan.blockM * 128)));
  auto multiplied = [&] {
    return products->compute(sums, weights, at(shared, own));
  };
  Values next;
  if (plan.wholeK)
    next = multiplied();
  else {
    Value warpStep = add(mul(step, b.i32(plan.warpsK())), block.warpK);
    next = branch(less(warpStep, block.endWarpStep), sums, multiplied);
  }
  x->place(fetched, filled);
  for (int64_t d = 0; d < plan.prefetch; ++d) {
    ValueRange held =
        carried.slice(sumCount() + d * weightCount(), weightCount());
    llvm::append_range(next,
                       d == prefetched
                           ? loadWeights(add(step, b.i32(plan.prefetch)), held)
                           : Values(held));
  }
  next.push_back(nextSlot(slot));
  return next;
}

LogicalResult PackedBuilder::build() {
  if (failed(block.locate()))
    return failure();
  block.divide();
  products.emplace(plan, b, block.lane);
  Value tiles = block.tiles,
        tile = add(block.firstTile, mul(block.warpN, b.i32(plan.tiles())));
  int64_t unitBytes = 4 * order.unitWords();
  unitPitch = mul(wide(tiles), i64(unitBytes));
  groupPitch = mul(wide(tiles), i64(64));
  for (const layout::PackedOrder::Plane &plane : order.planes()) {
    Value inUnit = add(b.i32(4 * plane.firstWord),
                       mul(block.lane, b.i32(4 * plane.laneWords)));
    codesAt.push_back(at(evaluator.matrix(plan.codes).address,
                         add(mul(wide(tile), i64(unitBytes)), wide(inUnit))));
  }
  scalesAt = at(
      evaluator.matrix(plan.scales).address,
      add(mul(wide(tile), i64(64)), wide(mul(div(block.lane, 4), b.i32(8)))));
  if (!plan.wholeN)
    for (int64_t t = 0; t < plan.tiles(); ++t) {
      // Tiles beyond the last repeat it; they are not stored.
      Value clamped =
          b.make<arith::MinSIOp>(add(tile, b.i32(t)), add(tiles, b.i32(-1)));
      tileOffsets.push_back(wide(b.make<arith::SubIOp>(clamped, tile)));
    }

  x.emplace(plan, evaluator, shared, thread, block.firstRow(), block.rows,
            block.endRow);
  if (options.overlap)
    b.create<NVVM::GriddepcontrolOp>(
        NVVM::GridDepActionKind::launch_dependents);
  Values carried(sumCount(), b.splat(b.op().getF32Type(), 0));
  for (int64_t d = 0; d < plan.prefetch; ++d)
    llvm::append_range(carried, loadWeights(add(block.firstStep, b.i32(d)),
                                            Values(weightCount(), b.i32(0))));
  // x is what the kernel before may have written; weights are not.
  if (options.overlap)
    waitForKernelBefore(b);
  for (int64_t s = 0; s + 1 < plan.stages; ++s) {
    Value slot = b.i32(s * plan.stageBytes());
    x->place(fetch(add(block.firstStep, b.i32(s)), slot), slot);
  }
  carried.push_back(b.i32(0));

  int64_t ahead = plan.prefetch;
  Values results =
      b.loop(block.firstStep, block.endStep, b.i32(ahead), carried,
             [&](Value first, ValueRange held) {
               Values next(held);
               for (int64_t d = 0; d < ahead; ++d) {
                 Value number = add(first, b.i32(d));
                 auto run = [&] { return step(number, d, next); };
                 next = d == 0 ? run()
                               : branch(less(number, block.endStep), next, run);
               }
               return next;
             });
  // The sums take the place of x.
  if (plan.copiesX)
    b.create<NVVM::CpAsyncWaitGroupOp>(0);
  return BlockSums(plan, options.splits, body, shared)
      .store({block.lane, block.warpK, block.warpColumn()},
             ValueRange(results).take_front(sumCount()), block.rows);
}

} // namespace

LogicalResult nibble::scheduleMmaPacked(KernelOp kernel,
                                        const MmaPackedOptions &options) {
  if (failed(checkSchedulable(kernel, /*packed=*/true)))
    return failure();
  MmaPackedPlan plan;
  if (auto refusal = planMmaPacked(kernel, options, plan))
    return emitRefusal("mma_packed", *refusal);
  EvaluatorOptions evaluatorOptions;
  evaluatorOptions.addressSpace = 1;
  return buildGpuFunction(
      kernel, "mma_packed", plan.threads(), plan.sharedBytes(),
      evaluatorOptions,
      [&](GpuBody &body) {
        if (int64_t programs = plan.programsAtOnce(); programs > 1)
          body.function->setAttr(
              NVVM::NVVMDialect::getMinctasmAttrName(),
              body.evaluator.builder().op().getI32IntegerAttr(
                  static_cast<int32_t>(programs)));
        if (options.overlap)
          body.function->setAttr(overlapAttrName,
                                 UnitAttr::get(kernel.getContext()));
        return plan.pipelined() ? buildPipeline(plan, options, body)
                                : PackedBuilder(plan, options, body).build();
      },
      options.splits);
}
