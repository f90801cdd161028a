//===- Conversion/MmaPipeline.cpp - Packed weights through shared memory --===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The schedule `mma_packed` with prefetch=0, for sm_90 and later. Weights and x
// pass through a ring of stages in shared memory, each with a step of 128 rows
// of K. Some warps fill stages and others multiply, and they wait for each
// other at the two barriers of a stage alone (StageRing.h):
//
//   a team of warps    wait until empty; one thread: bulk copies of codes and
//                      scales; all: x, 16 bytes at a time         -> full
//   the other warps    wait until full; fragments, products       -> empty
//
// Of act-order all of x may be held beside the stages (HeldRows.h), which then
// have a part of the permutation in its place, brought as the codes are.
//
// So a stage is in flight as soon as it is free, whatever the others do, and
// what is in flight takes no registers. Teams take the stages in turn, and so
// do warps along K.
//
// With wgmma four warps multiply together, and x is read from the stage by the
// tensor cores. While they do, the warps decode the next 64 rows of weights.
//
//===----------------------------------------------------------------------===//

#include "Conversion/BlockSums.h"
#include "Conversion/FragmentProducts.h"
#include "Conversion/HeldRows.h"
#include "Conversion/InlinePtx.h"
#include "Conversion/PackedBlock.h"
#include "Conversion/StageRing.h"
#include "Conversion/StagedRows.h"
#include "Conversion/Wgmma.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::ir;

namespace {

/// Builds the body of one kernel.
class PipelineBuilder : WordMath {
public:
  PipelineBuilder(const MmaPackedPlan &plan, const MmaPackedOptions &options,
                  GpuBody &body);
  LogicalResult build();

private:
  using Turn = StageRing::Turn;
  using Role = StageRing::Role;
  StageRing::Steps ownSteps() {
    return {block.firstStep, add(block.firstStep, block.warpK), block.endStep,
            plan.warpsK()};
  }
  void bringWeights(Value step, const Turn &turn);
  void bulkCopy(Value to, Value from, Value bytes, const Turn &turn);
  Value numberInTeam();
  StageRing::Steps teamSteps();
  Value earlyEnd();
  void beginWeights(Value step, const Turn &turn);
  void fillEarly();
  void fill();
  void holdX();

  Value ownTile();
  Values readWords(Value stage, int64_t unit, int64_t tile);
  Values readScales(Value stage);
  Values readColumns(Value step, Value stage);
  Values multiply();

  Values decode(Value stage, int64_t chunk, int64_t tile, ValueRange scales);
  Values addScaled(ValueRange sums, ValueRange partial, ValueRange scales);
  Values multiplyByWgmma();

  size_t perTile() const { return plan.tokens() * 4; }
  Type word() { return b.op().getI32Type(); }

  const MmaPackedPlan &plan;
  const MmaPackedOptions &options;
  GpuBody &body;
  TileEvaluator &evaluator;
  layout::PackedOrder order;
  PackedBlock block;
  std::optional<StageRing> ring;
  std::optional<HeldRows> held;
  /// How many tiles of 16 columns this block has.
  Value blockTiles;
  Value firstRow;
};

PipelineBuilder::PipelineBuilder(const MmaPackedPlan &plan,
                                 const MmaPackedOptions &options, GpuBody &body)
    : WordMath(body.evaluator.builder()), plan(plan), options(options),
      body(body), evaluator(body.evaluator), order(plan.order()),
      block(plan, options.splits, body) {}

//===----------------------------------------------------------------------===//
// Filling stages
//===----------------------------------------------------------------------===//

void PipelineBuilder::bulkCopy(Value to, Value from, Value bytes,
                               const Turn &turn) {
  // The window of the cluster holds that of the block at the same addresses.
  Value there = b.make<LLVM::IntToPtrOp>(
      clusterPointer(), b.make<LLVM::PtrToIntOp>(b.op().getI64Type(), to));
  b.create<NVVM::CpAsyncBulkGlobalToSharedClusterOp>(
      there, from, ring->full(turn), bytes, Value(), Value());
}

/// Begins to bring the codes, scales and zero points of `step`.
void PipelineBuilder::bringWeights(Value step, const Turn &turn) {
  int64_t unitBytes = 4 * order.unitWords();
  constexpr int64_t scaleBytes = 64;
  auto whole = [&](int64_t each) { return mul(blockTiles, b.i32(each)); };
  Value bytes =
      whole(plan.units() * unitBytes + plan.scalesPerStep() * scaleBytes);
  Value column, columnBytes;
  if (plan.holds()) {
    column = mul(step, b.i32(MmaPackedPlan::warpRows));
    columnBytes = b.i32(plan.permutationBytes());
    if (!plan.wholeSteps)
      columnBytes = b.make<arith::MinUIOp>(
          columnBytes, mul(b.make<arith::SubIOp>(block.K, column), b.i32(4)));
    bytes = add(bytes, columnBytes);
  }
  b.create<NVVM::MBarrierArriveExpectTxOp>(
      TypeRange(b.op().getI64Type()), ring->full(turn), bytes,
      NVVM::MemScopeKind::CTA, /*relaxed=*/false, Value());
  // `each` bytes of this block's tiles in `row` of a matrix.
  auto copy = [&](Value to, BlockArgument matrix, Value row, int64_t each) {
    Value tile = add(mul(wide(row), wide(block.tiles)), wide(block.firstTile));
    bulkCopy(to, at(evaluator.matrix(matrix).address, mul(tile, i64(each))),
             whole(each), turn);
  };
  Value to = at(ring->data(turn), b.i32(plan.xBytes()));
  for (int64_t u = 0; u < plan.units(); ++u)
    copy(at(to, b.i32(u * plan.unitBytes())), plan.codes, block.unit(step, u),
         unitBytes);
  to = at(to, b.i32(plan.codeBytes()));
  for (int64_t s = 0; s < plan.scalesPerStep(); ++s)
    copy(at(to, b.i32(s * plan.scaleBytes())), plan.scales,
         block.group(step, s), scaleBytes);
  if (plan.holds())
    bulkCopy(at(to, b.i32(plan.scalesPerStep() * plan.scaleBytes())),
             at(evaluator.matrix(plan.permutation).address,
                mul(wide(column), i64(4))),
             columnBytes, turn);
}

/// Calls `body` in one thread of the warp.
static void elected(ValueBuilder &b, function_ref<void()> body) {
  Value one = b.create<NVVM::ElectSyncOp>(b.op().getI1Type(), Value());
  b.when(one, body);
}

/// A thread's number among those of its team, which fill stages together.
Value PipelineBuilder::numberInTeam() {
  return rem(add(body.thread, b.i32(-plan.multipliers())), plan.stagers());
}

/// The steps that this thread's team brings.
StageRing::Steps PipelineBuilder::teamSteps() {
  Value team = div(add(block.warp, b.i32(-plan.warps)), plan.teamWarps());
  return {block.firstStep, add(block.firstStep, team), block.endStep,
          plan.teams()};
}

/// Where the steps end that fill the stages first.
Value PipelineBuilder::earlyEnd() {
  return b.make<arith::MinUIOp>(block.endStep,
                                add(block.firstStep, b.i32(plan.stages)));
}

/// Lets one thread of a team begin to bring the weights of `step`.
void PipelineBuilder::beginWeights(Value step, const Turn &turn) {
  b.when(less(numberInTeam(), b.i32(32)),
         [&] { elected(b, [&] { bringWeights(step, turn); }); });
}

/// What the warps do that fill stages while the kernel before may still run:
/// it may have written x, but no weights.
void PipelineBuilder::fillEarly() {
  StageRing::Steps early = teamSteps();
  early.end = earlyEnd();
  ring->forEachStep(early, Role::Fills, {},
                    [&](Value step, const Turn &turn, ValueRange) {
                      beginWeights(step, turn);
                      return Values();
                    });
}

/// All that they do, but for what comes before x is held.
void PipelineBuilder::fill() {
  std::optional<StagedRows> x;
  if (!held) {
    x.emplace(plan, evaluator, ring->base(), numberInTeam(), firstRow,
              block.rows, block.K);
    if (options.overlap) {
      fillEarly();
      waitForKernelBefore(b);
    }
  }
  ring->forEachStep(teamSteps(), Role::Fills, {},
                    [&](Value step, const Turn &turn, ValueRange) {
                      auto refill = [&] {
                        ring->wait(ring->empty(turn), turn);
                        beginWeights(step, turn);
                      };
                      if (options.overlap || held)
                        b.when(b.make<arith::CmpIOp>(arith::CmpIPredicate::uge,
                                                     step, earlyEnd()),
                               refill);
                      else
                        refill();
                      if (!x)
                        return Values();
                      x->bring(step, mul(turn.stage, b.i32(plan.stageBytes())));
                      if (plan.copiesX)
                        b.create<NVVM::CpAsyncMBarrierArriveOp>(
                            ring->full(turn),
                            /*noinc=*/true);
                      else
                        ring->arrive(ring->full(turn));
                      return Values();
                    });
}

/// Brings all of x by all threads, with the weights of a first round on their
/// way.
void PipelineBuilder::holdX() {
  held.emplace(plan, evaluator, ring->held());
  Value fills = b.make<arith::CmpIOp>(arith::CmpIPredicate::uge, block.warp,
                                      b.i32(plan.warps));
  b.when(fills, [&] { fillEarly(); });
  if (options.overlap)
    waitForKernelBefore(b);
  held->bring(body.thread, firstRow, block.rows, block.K);
  b.create<NVVM::Barrier0Op>();
}

//===----------------------------------------------------------------------===//
// Products by mma.sync
//===----------------------------------------------------------------------===//

/// The first tile of this warp among the block's. A warp's tiles lie side by
/// side; of the four of wgmma each has every fourth.
Value PipelineBuilder::ownTile() {
  Value own = mul(block.warpN, b.i32(plan.tiles() * plan.unitWarps()));
  return plan.wgmma ? add(own, rem(block.warp, 4)) : own;
}

/// This lane's words of a unit of a tile of 16 columns of its warp.
SmallVector<Value> PipelineBuilder::readWords(Value stage, int64_t unit,
                                              int64_t tile) {
  int64_t unitBytes = 4 * order.unitWords();
  Value from = at(stage, add(mul(ownTile(), b.i32(unitBytes)),
                             b.i32(plan.xBytes() + unit * plan.unitBytes() +
                                   tile * plan.unitWarps() * unitBytes)));
  Values words;
  for (const layout::PackedOrder::Plane &plane : order.planes()) {
    int64_t bytes = 4 * plane.laneWords;
    Value place = at(
        from, add(mul(block.lane, b.i32(bytes)), b.i32(4 * plane.firstWord)));
    Value loaded = b.create<LLVM::LoadOp>(
        VectorType::get({plane.laneWords}, word()), place, bytes);
    for (int64_t w = 0; w < plane.laneWords; ++w)
      words.push_back(b.make<vector::ExtractOp>(loaded, w));
  }
  return words;
}

/// Scales and zero points of this lane's columns, two words a tile.
SmallVector<Value> PipelineBuilder::readScales(Value stage) {
  Value from =
      at(stage,
         add(add(mul(ownTile(), b.i32(64)), mul(div(block.lane, 4), b.i32(8))),
             b.i32(plan.xBytes() + plan.codeBytes())));
  Values words;
  for (int64_t s = 0; s < plan.scalesPerStep(); ++s)
    for (int64_t t = 0; t < plan.tiles(); ++t) {
      Value place =
          at(from, b.i32(s * plan.scaleBytes() + t * plan.unitWarps() * 64));
      Value loaded =
          b.create<LLVM::LoadOp>(VectorType::get({2}, word()), place, 8);
      for (int64_t w = 0; w < 2; ++w)
        words.push_back(b.make<vector::ExtractOp>(loaded, w));
    }
  return words;
}

/// This lane's columns of held x in `step`: every 32nd.
SmallVector<Value> PipelineBuilder::readColumns(Value step, Value stage) {
  Value from = at(stage, b.i32(plan.xBytes() + plan.codeBytes() +
                               plan.scalesPerStep() * plan.scaleBytes()));
  Values columns;
  for (int64_t i = 0; i < MmaPackedPlan::warpRows; i += 32) {
    Value number = add(block.lane, b.i32(i));
    Value column = b.create<LLVM::LoadOp>(word(), at(from, number, word()), 4);
    if (!plan.wholeSteps) {
      Value k = add(mul(step, b.i32(MmaPackedPlan::warpRows)), number);
      column = select(less(k, block.K), column, held->nothing());
    }
    columns.push_back(column);
  }
  return columns;
}

/// The sums of this warp's steps.
SmallVector<Value> PipelineBuilder::multiply() {
  FragmentProducts products(plan, b, block.lane);
  Values sums(plan.sums(), b.splat(b.op().getF32Type(), 0));
  return ring->forEachStep(
      ownSteps(), Role::Reads, sums,
      [&](Value step, const Turn &turn, ValueRange before) {
        ring->wait(ring->full(turn), turn);
        Value stage = ring->data(turn);
        Values weights;
        for (int64_t u = 0; u < plan.units(); ++u)
          for (int64_t t = 0; t < plan.tiles(); ++t)
            llvm::append_range(weights, readWords(stage, u, t));
        llvm::append_range(weights, readScales(stage));
        Values next = held ? products.compute(before, weights, *held,
                                              readColumns(step, stage))
                           : products.compute(before, weights, stage);
        ring->arrive(ring->empty(turn));
        return next;
      });
}

//===----------------------------------------------------------------------===//
// Products by wgmma
//===----------------------------------------------------------------------===//

/// The fragments of 64 rows of K of a tile of 64 columns, scaled unless sums
/// are: four registers for each 16 rows.
SmallVector<Value> PipelineBuilder::decode(Value stage, int64_t chunk,
                                           int64_t tile, ValueRange scales) {
  FragmentCodes codes(b, plan.bits, plan.element());
  int64_t stepsPerUnit = plan.unitRows() / 16;
  DenseMap<int64_t, Values> words;
  Values fragments;
  for (int64_t k = chunk * wgmmaSteps; k < (chunk + 1) * wgmmaSteps; ++k) {
    int64_t unit = k / stepsPerUnit;
    if (!words.count(unit))
      words[unit] = readWords(stage, unit, tile);
    ValueRange group =
        scales.slice((k / plan.stepsPerScale() * plan.tiles() + tile) * 2, 2);
    for (Value pair :
         codes.fragment(words[unit], k % stepsPerUnit, {group[0], group[1]},
                        /*scaled=*/!plan.scalesSums()))
      fragments.push_back(b.make<LLVM::BitcastOp>(word(), pair));
  }
  return keepHere(b, fragments);
}

/// `sums` and the sums of one step, which wgmma has left in `partial`.
SmallVector<Value> PipelineBuilder::addScaled(ValueRange sums,
                                              ValueRange partial,
                                              ValueRange scales) {
  FragmentCodes codes(b, plan.bits, plan.element());
  // They are there only now that they were waited for.
  Values there = keepHere(b, partial), next;
  for (int64_t t = 0; t < plan.tiles(); ++t)
    llvm::append_range(
        next, codes.addScaled(sums.slice(t * perTile(), perTile()),
                              ValueRange(there).slice(t * perTile(), perTile()),
                              {scales[2 * t], scales[2 * t + 1]}));
  return next;
}

/// The sums of these four warps' steps. The first fragments of a step are
/// decoded at the end of the one before, and carried with the step's scales.
SmallVector<Value> PipelineBuilder::multiplyByWgmma() {
  constexpr int64_t chunks = MmaPackedPlan::warpRows / wgmmaRows;
  const bool scalesSums = plan.scalesSums();
  size_t sumCount = plan.sums(), scaleCount = plan.scaleWords();
  constexpr size_t fragmentCount = wgmmaSteps * 4;
  StageRing::Steps steps = ownSteps();
  // x is written by ordinary copies, and read by the tensor cores' own way.
  auto begin = [&](const Turn &turn) {
    ring->wait(ring->full(turn), turn);
    b.create<NVVM::FenceProxyOp>(
        NVVM::ProxyKind::async_shared,
        NVVM::SharedSpaceAttr::get(b.op().getContext(),
                                   NVVM::SharedSpace::shared_cta));
    Value stage = ring->data(turn);
    Values scales = readScales(stage);
    Values held = decode(stage, 0, 0, scales);
    llvm::append_range(held, scales);
    return held;
  };
  Values nothing(fragmentCount + scaleCount, b.i32(0));
  Values carried(sumCount, b.splat(b.op().getF32Type(), 0));
  llvm::append_range(carried,
                     branch(less(steps.first, steps.end), nothing,
                            [&] { return begin({block.warpK, b.i32(0)}); }));
  Values results = ring->forEachStep(
      steps, Role::Reads, carried,
      [&](Value step, const Turn &turn, ValueRange held) {
        Values sums(held.take_front(sumCount)), partial = sums;
        if (scalesSums)
          partial.assign(sumCount, b.make<LLVM::PoisonOp>(b.op().getF32Type()));
        Values fragments(held.slice(sumCount, fragmentCount));
        ValueRange scales = held.take_back(scaleCount);
        Value stage = ring->data(turn);
        Values ahead;
        for (int64_t c = 0; c < chunks; ++c)
          for (int64_t t = 0; t < plan.tiles(); ++t) {
            auto own = MutableArrayRef(partial).slice(t * perTile(), perTile());
            Value x = at(stage, b.i32(c * plan.blockM * 128));
            bool anew = scalesSums && c == 0;
            llvm::copy(beginWgmma(b, plan, ValueRange(own), fragments, x, anew),
                       own.begin());
            int64_t tile = (t + 1) % plan.tiles(), chunk = c + (tile == 0);
            if (chunk < chunks) {
              fragments = decode(stage, chunk, tile, scales);
            } else {
              Value more = less(add(step, b.i32(steps.by)), steps.end);
              ahead = branch(more, nothing,
                             [&] { return begin(ring->next(turn, steps.by)); });
            }
            b.create<NVVM::WgmmaWaitGroupSyncOp>(0);
          }
        ring->arrive(ring->empty(turn));
        sums = scalesSums ? addScaled(sums, partial, scales) : partial;
        llvm::append_range(sums, ahead);
        return sums;
      });
  results.truncate(sumCount);
  return results;
}

//===----------------------------------------------------------------------===//
// The whole
//===----------------------------------------------------------------------===//

LogicalResult PipelineBuilder::build() {
  if (failed(block.locate()))
    return failure();
  if (options.overlap)
    b.create<NVVM::GriddepcontrolOp>(
        NVVM::GridDepActionKind::launch_dependents);
  firstRow = block.firstRow();
  block.divide();
  blockTiles = b.i32(plan.blockN / MmaPackedPlan::tileColumns);
  // What a stage has beyond the last tile is never stored.
  if (!plan.wholeN)
    blockTiles = b.make<arith::MinUIOp>(
        blockTiles, b.make<arith::SubIOp>(block.tiles, block.firstTile));
  ring.emplace(plan, body);
  if (plan.holds())
    holdX();

  auto registers = [&](int64_t count, NVVM::SetMaxRegisterAction action) {
    if (plan.givesRegisters())
      b.create<NVVM::SetMaxRegisterOp>(static_cast<int32_t>(count), action);
  };
  LogicalResult result = success();
  auto role = b.create<scf::IfOp>(less(block.warp, b.i32(plan.warps)),
                                  /*withElseRegion=*/true);
  b.inBlock(role.thenBlock(), [&] {
    registers(plan.mostRegisters(), NVVM::SetMaxRegisterAction::increase);
    Values sums = plan.wgmma ? multiplyByWgmma() : multiply();
    if (options.overlap && !held)
      waitForKernelBefore(b);
    result = BlockSums(plan, options.splits, body, ring->base())
                 .store({block.lane, block.warpK, block.warpColumn()}, sums,
                        block.rows);
  });
  b.inBlock(role.elseBlock(), [&] {
    registers(40, NVVM::SetMaxRegisterAction::decrease);
    fill();
  });
  return result;
}

} // namespace

LogicalResult nibble::buildPipeline(const MmaPackedPlan &plan,
                                    const MmaPackedOptions &options,
                                    GpuBody &body) {
  return PipelineBuilder(plan, options, body).build();
}
