//===- Conversion/MmaPipeline.cpp - Packed weights through shared memory --===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The schedule `mma_packed` with prefetch=0, for sm_90 and later. Weights and x
// pass through a ring of stages in shared memory, each with a step of 128 rows
// of K. Some warps fill stages and others multiply, and they wait for each
// other at the two barriers of a stage alone:
//
//   one thread     wait until empty; bulk copies of codes and scales -> full
//   some warps     wait until empty; x, 16 bytes at a time           -> full
//   the others     wait until full; fragments, products              -> empty
//
// So a stage is in flight as soon as it is free, whatever the others do, and
// what is in flight takes no registers. Warps along K take the stages in turn.
//
// With wgmma four warps multiply together, and x is read from the stage by the
// tensor cores. While they do, the warps decode the next 64 rows of weights.
//
//===----------------------------------------------------------------------===//

#include "Conversion/BlockSums.h"
#include "Conversion/FragmentProducts.h"
#include "Conversion/Schedule.h"
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
  /// A place in the ring: the stage's number, and the parity of the round that
  /// is waited for.
  struct Turn {
    Value stage, parity;
  };
  Turn next(const Turn &turn, int64_t by);
  Value data(const Turn &turn);
  Value full(const Turn &turn);
  Value empty(const Turn &turn);
  void wait(Value barrier, const Turn &turn);
  void arrive(Value barrier);
  void release(const Turn &turn);

  void setUpBarriers();
  void forEachStep(Value first, int64_t by, int64_t parity, ValueRange carried,
                   Values &results,
                   function_ref<Values(Value, const Turn &, ValueRange)> body);
  void bringWeights(Value step, const Turn &turn);
  void bulkCopy(Value to, Value from, Value bytes, const Turn &turn);
  void loadWeights();
  void loadX();

  Values readWords(Value stage, int64_t unit, int64_t tile);
  Values readScales(Value stage);
  Values multiply();

  Values decode(Value stage, int64_t chunk, int64_t tile, ValueRange scales);
  Values multiplyByWgmma();

  size_t perTile() const { return plan.tokens() * 4; }
  Type word() { return b.op().getI32Type(); }

  const MmaPackedPlan &plan;
  const MmaPackedOptions &options;
  GpuBody &body;
  TileEvaluator &evaluator;
  layout::PackedOrder order;
  /// Where stages begin, and their barriers.
  Value stages, barriers;
  Value lane, warp, warpK, warpN;
  /// The steps of this block, where x ends, its first row and how many it has.
  Value firstStep, endStep, endOfX, firstRow, rows;
  /// The first tile of 16 columns of this block, how many it has, and all.
  Value firstTile, blockTiles, tiles;
};

PipelineBuilder::PipelineBuilder(const MmaPackedPlan &plan,
                                 const MmaPackedOptions &options, GpuBody &body)
    : WordMath(body.evaluator.builder()), plan(plan), options(options),
      body(body), evaluator(body.evaluator), order(plan.order()) {}

//===----------------------------------------------------------------------===//
// The ring of stages
//===----------------------------------------------------------------------===//

PipelineBuilder::Turn PipelineBuilder::next(const Turn &turn, int64_t by) {
  Value stage = add(turn.stage, b.i32(by));
  Value inside = less(stage, b.i32(plan.stages));
  return {select(inside, stage, add(stage, b.i32(-plan.stages))),
          select(inside, turn.parity,
                 b.make<arith::XOrIOp>(turn.parity, b.i32(1)))};
}

Value PipelineBuilder::data(const Turn &turn) {
  return at(stages, mul(turn.stage, b.i32(plan.stageBytes())));
}
Value PipelineBuilder::full(const Turn &turn) {
  return at(barriers, mul(turn.stage, b.i32(16)));
}
Value PipelineBuilder::empty(const Turn &turn) {
  return at(barriers, add(mul(turn.stage, b.i32(16)), b.i32(8)));
}

void PipelineBuilder::wait(Value barrier, const Turn &turn) {
  // NVVM's operation has no translation of its own.
  b.create<LLVM::InlineAsmOp>(
      TypeRange(), ValueRange{barrier, turn.parity},
      "{\n\t.reg .pred done;\n"
      "WAIT_${:uid}:\n\t"
      "mbarrier.try_wait.parity.shared.b64 done, [$0], $1;\n\t"
      "@done bra READY_${:uid};\n\t"
      "bra WAIT_${:uid};\n"
      "READY_${:uid}:\n\t}",
      "r,r,~{memory}", /*has_side_effects=*/true, /*is_align_stack=*/false,
      LLVM::tailcallkind::TailCallKind::None, LLVM::AsmDialectAttr(),
      ArrayAttr());
}

void PipelineBuilder::arrive(Value barrier) {
  b.create<NVVM::MBarrierArriveOp>(TypeRange(b.op().getI64Type()), barrier,
                                   Value());
}

/// A warp has read what it needs of a stage.
void PipelineBuilder::release(const Turn &turn) {
  b.create<NVVM::SyncWarpOp>(b.i32(-1));
  Value first = b.make<arith::CmpIOp>(arith::CmpIPredicate::eq, lane, b.i32(0));
  auto guard = b.create<scf::IfOp>(first, /*withElseRegion=*/false);
  b.inBlock(guard.thenBlock(), [&] { arrive(empty(turn)); });
}

void PipelineBuilder::setUpBarriers() {
  Value first =
      b.make<arith::CmpIOp>(arith::CmpIPredicate::eq, body.thread, b.i32(0));
  auto guard = b.create<scf::IfOp>(first, /*withElseRegion=*/false);
  b.inBlock(guard.thenBlock(), [&] {
    for (int64_t s = 0; s < plan.stages; ++s) {
      Turn turn = {b.i32(s), Value()};
      // The thread that brings weights, and all that bring x.
      b.create<NVVM::MBarrierInitOp>(full(turn), b.i32(1 + plan.stagers()),
                                     Value());
      b.create<NVVM::MBarrierInitOp>(
          empty(turn), b.i32(plan.warpsN() * plan.unitWarps()), Value());
    }
    b.create<NVVM::FenceMbarrierInitOp>();
  });
  b.create<NVVM::Barrier0Op>();
}

/// Builds a loop over this block's steps from `first` on, each with its place
/// in the ring. `body` gets the step, its place and what is carried.
void PipelineBuilder::forEachStep(
    Value first, int64_t by, int64_t parity, ValueRange carried,
    Values &results,
    function_ref<Values(Value, const Turn &, ValueRange)> body) {
  Values all(carried);
  all.push_back(b.make<arith::SubIOp>(first, firstStep));
  all.push_back(b.i32(parity));
  auto loop = b.create<scf::ForOp>(first, endStep, b.i32(by), all);
  if (!loop.getBody()->empty())
    loop.getBody()->back().erase();
  b.inBlock(loop.getBody(), [&] {
    ValueRange held = loop.getRegionIterArgs();
    Turn turn = {held[carried.size()], held[carried.size() + 1]};
    Values values =
        body(loop.getInductionVar(), turn, held.take_front(carried.size()));
    Turn after = next(turn, by);
    llvm::append_values(values, after.stage, after.parity);
    b.create<scf::YieldOp>(values);
  });
  results.assign(loop.getResults().begin(),
                 loop.getResults().begin() + carried.size());
}

//===----------------------------------------------------------------------===//
// Filling stages
//===----------------------------------------------------------------------===//

void PipelineBuilder::bulkCopy(Value to, Value from, Value bytes,
                               const Turn &turn) {
  // The window of the cluster holds that of the block at the same addresses.
  constexpr unsigned clusterSpace = 7;
  Type cluster = LLVM::LLVMPointerType::get(b.op().getContext(), clusterSpace);
  Value there = b.make<LLVM::IntToPtrOp>(
      cluster, b.make<LLVM::PtrToIntOp>(b.op().getI64Type(), to));
  b.create<NVVM::CpAsyncBulkGlobalToSharedClusterOp>(there, from, full(turn),
                                                     bytes, Value(), Value());
}

/// Begins to bring the codes, scales and zero points of `step`.
void PipelineBuilder::bringWeights(Value step, const Turn &turn) {
  int64_t unitBytes = 4 * order.unitWords();
  constexpr int64_t scaleBytes = 64;
  auto whole = [&](int64_t each) { return mul(blockTiles, b.i32(each)); };
  b.create<NVVM::MBarrierArriveExpectTxOp>(
      TypeRange(b.op().getI64Type()), full(turn),
      whole(plan.units() * unitBytes + plan.scalesPerStep() * scaleBytes),
      NVVM::MemScopeKind::CTA, /*relaxed=*/false, Value());
  Value units = ceilDiv(narrow(evaluator.sizeValue(
                            cast<MatrixType>(plan.x.getType()).getShape()[1])),
                        plan.unitRows());
  Value to = at(data(turn), b.i32(plan.xBytes()));
  for (int64_t u = 0; u < plan.units(); ++u) {
    Value unit = add(mul(step, b.i32(plan.units())), b.i32(u));
    // Beyond K x is 0, and any codes will do.
    if (!plan.wholeSteps)
      unit = b.make<arith::MinUIOp>(unit, add(units, b.i32(-1)));
    Value tile = add(mul(wide(unit), wide(tiles)), wide(firstTile));
    bulkCopy(
        at(to, b.i32(u * plan.unitBytes())),
        at(evaluator.matrix(plan.codes).address, mul(tile, i64(unitBytes))),
        whole(unitBytes), turn);
  }
  to = at(to, b.i32(plan.codeBytes()));
  for (int64_t s = 0; s < plan.scalesPerStep(); ++s) {
    Value row = add(mul(step, b.i32(MmaPackedPlan::warpRows)),
                    b.i32(s * plan.stepsPerScale() * 16));
    Value group = div(row, plan.groupRows);
    if (!plan.wholeSteps && plan.scalesPerStep() > 1) {
      auto scales = cast<MatrixType>(plan.scales.getType());
      Value last =
          add(narrow(evaluator.sizeValue(scales.getShape()[0])), b.i32(-1));
      group = b.make<arith::MinUIOp>(group, last);
    }
    Value tile = add(mul(wide(group), wide(tiles)), wide(firstTile));
    bulkCopy(
        at(to, b.i32(s * plan.scaleBytes())),
        at(evaluator.matrix(plan.scales).address, mul(tile, i64(scaleBytes))),
        whole(scaleBytes), turn);
  }
}

/// Calls `body` in one thread of the warp.
static void elected(ValueBuilder &b, function_ref<void()> body) {
  Value one = b.create<NVVM::ElectSyncOp>(b.op().getI1Type(), Value());
  auto guard = b.create<scf::IfOp>(one, /*withElseRegion=*/false);
  b.inBlock(guard.thenBlock(), body);
}

/// What the warp of its own does that brings weights.
void PipelineBuilder::loadWeights() {
  elected(b, [&] {
    Values none;
    forEachStep(firstStep, 1, /*parity=*/1, {}, none,
                [&](Value step, const Turn &turn, ValueRange) {
                  wait(empty(turn), turn);
                  bringWeights(step, turn);
                  return Values();
                });
  });
}

/// What the warps do that bring x.
void PipelineBuilder::loadX() {
  int64_t before = plan.multipliers() + (plan.loadsApart() ? 32 : 0);
  Value number = add(body.thread, b.i32(-before));
  StagedRows x(plan, evaluator, stages, number, firstRow, rows, endOfX);
  if (options.overlap)
    b.create<NVVM::GriddepcontrolOp>(NVVM::GridDepActionKind::wait);
  Values none;
  forEachStep(
      firstStep, 1, /*parity=*/1, {}, none,
      [&](Value step, const Turn &turn, ValueRange) {
        wait(empty(turn), turn);
        if (!plan.loadsApart()) {
          auto guard = b.create<scf::IfOp>(less(number, b.i32(32)),
                                           /*withElseRegion=*/false);
          b.inBlock(guard.thenBlock(),
                    [&] { elected(b, [&] { bringWeights(step, turn); }); });
        }
        Value slot = mul(turn.stage, b.i32(plan.stageBytes()));
        x.bring(step, slot);
        if (plan.copiesX)
          b.create<NVVM::CpAsyncMBarrierArriveOp>(full(turn), /*noinc=*/true);
        else
          arrive(full(turn));
        return Values();
      });
}

//===----------------------------------------------------------------------===//
// Products by mma.sync
//===----------------------------------------------------------------------===//

/// This lane's words of a unit of a tile of 16 columns of its warp.
SmallVector<Value> PipelineBuilder::readWords(Value stage, int64_t unit,
                                              int64_t tile) {
  int64_t unitBytes = 4 * order.unitWords();
  // A warp's tiles lie side by side; of the four of wgmma each has every
  // fourth.
  Value own = mul(warpN, b.i32(plan.tiles() * plan.unitWarps()));
  if (plan.wgmma)
    own = add(own, rem(warp, 4));
  Value from = at(stage, add(mul(own, b.i32(unitBytes)),
                             b.i32(plan.xBytes() + unit * plan.unitBytes() +
                                   tile * plan.unitWarps() * unitBytes)));
  Values words;
  for (const layout::PackedOrder::Plane &plane : order.planes()) {
    int64_t bytes = 4 * plane.laneWords;
    Value place =
        at(from, add(mul(lane, b.i32(bytes)), b.i32(4 * plane.firstWord)));
    Value loaded = b.create<LLVM::LoadOp>(
        VectorType::get({plane.laneWords}, word()), place, bytes);
    for (int64_t w = 0; w < plane.laneWords; ++w)
      words.push_back(b.make<vector::ExtractOp>(loaded, w));
  }
  return words;
}

/// Scales and zero points of this lane's columns, two words a tile.
SmallVector<Value> PipelineBuilder::readScales(Value stage) {
  Value own = mul(warpN, b.i32(plan.tiles() * plan.unitWarps()));
  if (plan.wgmma)
    own = add(own, rem(warp, 4));
  Value from =
      at(stage, add(add(mul(own, b.i32(64)), mul(div(lane, 4), b.i32(8))),
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

/// The sums of this warp's steps.
SmallVector<Value> PipelineBuilder::multiply() {
  FragmentProducts products(plan, b, lane);
  Values sums(plan.tiles() * perTile(), b.splat(b.op().getF32Type(), 0));
  forEachStep(add(firstStep, warpK), plan.warpsK(), /*parity=*/0, Values(sums),
              sums, [&](Value, const Turn &turn, ValueRange held) {
                wait(full(turn), turn);
                Value stage = data(turn);
                Values weights;
                for (int64_t u = 0; u < plan.units(); ++u)
                  for (int64_t t = 0; t < plan.tiles(); ++t)
                    llvm::append_range(weights, readWords(stage, u, t));
                llvm::append_range(weights, readScales(stage));
                Values next = products.compute(held, weights, stage);
                release(turn);
                return next;
              });
  return sums;
}

//===----------------------------------------------------------------------===//
// Products by wgmma
//===----------------------------------------------------------------------===//

/// The fragments of 64 rows of K of a tile of 64 columns, scaled: four
/// registers for each 16 rows.
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
    for (Value pair : codes.fragment(words[unit], k % stepsPerUnit,
                                     {group[0], group[1]}, /*scaled=*/true))
      fragments.push_back(b.make<LLVM::BitcastOp>(word(), pair));
  }
  return keepHere(b, fragments);
}

/// The sums of these four warps' steps. The first fragments of a step are
/// decoded at the end of the one before, and carried with the step's scales.
SmallVector<Value> PipelineBuilder::multiplyByWgmma() {
  constexpr int64_t chunks = MmaPackedPlan::warpRows / wgmmaRows;
  size_t sumCount = plan.tiles() * perTile();
  constexpr size_t fragmentCount = wgmmaSteps * 4;
  Value first = add(firstStep, warpK);
  // x is written by ordinary copies, and read by the tensor cores' own way.
  auto begin = [&](const Turn &turn) {
    wait(full(turn), turn);
    b.create<NVVM::FenceProxyOp>(
        NVVM::ProxyKind::async_shared,
        NVVM::SharedSpaceAttr::get(b.op().getContext(),
                                   NVVM::SharedSpace::shared_cta));
    Value stage = data(turn);
    Values scales = readScales(stage);
    Values held = decode(stage, 0, 0, scales);
    llvm::append_range(held, scales);
    return held;
  };
  size_t scaleCount = plan.tiles() * 2 * plan.scalesPerStep();
  Values nothing(fragmentCount + scaleCount, b.i32(0));
  Values carried(sumCount, b.splat(b.op().getF32Type(), 0));
  llvm::append_range(carried, branch(less(first, endStep), nothing,
                                     [&] { return begin({warpK, b.i32(0)}); }));
  Values results;
  forEachStep(
      first, plan.warpsK(), /*parity=*/0, carried, results,
      [&](Value step, const Turn &turn, ValueRange held) {
        Values sums(held.take_front(sumCount));
        Values fragments(held.slice(sumCount, fragmentCount));
        ValueRange scales = held.take_back(scaleCount);
        Value stage = data(turn);
        Values ahead;
        for (int64_t c = 0; c < chunks; ++c)
          for (int64_t t = 0; t < plan.tiles(); ++t) {
            auto own = MutableArrayRef(sums).slice(t * perTile(), perTile());
            Value x = at(stage, b.i32(c * plan.blockM * 128));
            llvm::copy(beginWgmma(b, plan, ValueRange(own), fragments, x),
                       own.begin());
            int64_t tile = (t + 1) % plan.tiles(), chunk = c + (tile == 0);
            if (chunk < chunks) {
              fragments = decode(stage, chunk, tile, scales);
            } else {
              Value more = less(add(step, b.i32(plan.warpsK())), endStep);
              ahead = branch(more, nothing,
                             [&] { return begin(next(turn, plan.warpsK())); });
            }
            b.create<NVVM::WgmmaWaitGroupSyncOp>(0);
          }
        release(turn);
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
  StoreOp store = plan.product.store;
  FailureOr<Value> mBlock = evaluator.scalar(store.getCoordinates()[0]),
                   nBlock = evaluator.scalar(store.getCoordinates()[1]);
  FailureOr<Value> rowsInside = evaluator.extentInside(store, 0);
  if (failed(mBlock) || failed(nBlock) || failed(rowsInside))
    return failure();
  if (options.overlap)
    b.create<NVVM::GriddepcontrolOp>(
        NVVM::GridDepActionKind::launch_dependents);
  rows = narrow(*rowsInside);
  firstRow = mul(narrow(*mBlock), b.i32(plan.blockM));
  lane = rem(body.thread, 32);
  warp = div(body.thread, 32);
  Value unit = div(warp, plan.unitWarps());
  warpK = rem(unit, plan.warpsK());
  warpN = div(unit, plan.warpsK());
  Value K = narrow(
      evaluator.sizeValue(cast<MatrixType>(plan.x.getType()).getShape()[1]));
  Value N =
      narrow(evaluator.sizeValue(store.getMatrix().getType().getShape()[1]));
  firstStep = b.i32(0);
  endStep = ceilDiv(K, MmaPackedPlan::warpRows);
  endOfX = K;
  if (body.part) {
    // Blocks take steps one after another, as evenly as they come.
    Value all = endStep;
    firstStep = div(mul(all, body.part), options.splits);
    endStep = div(mul(all, add(body.part, b.i32(1))), options.splits);
  }
  int64_t mostTiles = plan.blockN / MmaPackedPlan::tileColumns;
  tiles = ceilDiv(N, MmaPackedPlan::tileColumns);
  firstTile = mul(narrow(*nBlock), b.i32(mostTiles));
  blockTiles = b.i32(mostTiles);
  // What a stage has beyond the last tile is never stored.
  if (!plan.wholeN)
    blockTiles = b.make<arith::MinUIOp>(
        blockTiles, b.make<arith::SubIOp>(tiles, firstTile));

  Value address = b.make<LLVM::PtrToIntOp>(word(), body.shared);
  Value toMultiple =
      b.make<arith::AndIOp>(b.make<arith::SubIOp>(b.i32(0), address),
                            b.i32(MmaPackedPlan::swizzleBytes - 1));
  stages = at(body.shared, toMultiple);
  barriers =
      at(stages,
         b.i32(std::max(plan.stages * plan.stageBytes(), plan.sumBytes())));
  setUpBarriers();

  auto registers = [&](int64_t count, NVVM::SetMaxRegisterAction action) {
    if (plan.givesRegisters())
      b.create<NVVM::SetMaxRegisterOp>(static_cast<int32_t>(count), action);
  };
  LogicalResult result = success();
  auto role = b.create<scf::IfOp>(less(warp, b.i32(plan.warps)),
                                  /*withElseRegion=*/true);
  b.inBlock(role.thenBlock(), [&] {
    registers(plan.mostRegisters(), NVVM::SetMaxRegisterAction::increase);
    Values sums = plan.wgmma ? multiplyByWgmma() : multiply();
    if (options.overlap)
      b.create<NVVM::GriddepcontrolOp>(NVVM::GridDepActionKind::wait);
    Value column = mul(warpN, b.i32(plan.tiles() * plan.tileWidth()));
    if (plan.wgmma)
      column =
          add(column, mul(rem(warp, 4), b.i32(MmaPackedPlan::tileColumns)));
    result = BlockSums(plan, options.splits, body, stages)
                 .store({lane, warpK, column}, sums, rows);
  });
  b.inBlock(role.elseBlock(), [&] {
    registers(40, NVVM::SetMaxRegisterAction::decrease);
    if (!plan.loadsApart())
      return loadX();
    Value bringsWeights = b.make<arith::CmpIOp>(arith::CmpIPredicate::eq, warp,
                                                b.i32(plan.warps));
    auto which = b.create<scf::IfOp>(bringsWeights, /*withElseRegion=*/true);
    b.inBlock(which.thenBlock(), [&] { loadWeights(); });
    b.inBlock(which.elseBlock(), [&] { loadX(); });
  });
  return result;
}

} // namespace

LogicalResult nibble::buildPipeline(const MmaPackedPlan &plan,
                                    const MmaPackedOptions &options,
                                    GpuBody &body) {
  return PipelineBuilder(plan, options, body).build();
}
