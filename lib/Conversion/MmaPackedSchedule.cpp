//===- Conversion/MmaPackedSchedule.cpp - Packed weights, tensor cores ----===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The schedule `mma_packed`, for few rows of x, where time is the time to read
// the weights. A lane reads 16 bytes of packed weights at a time (of 3 bits, 16
// and 8) straight into registers, several steps ahead and in the order that
// mma.m16n8k16 wants them in; x goes through shared memory, which all warps of
// a program read. A step:
//
//   wait for x of this step, barrier
//   x of step + stages - 1      -> shared memory       (cp.async)
//   weights of this step        -> fragments -> mma.sync, x by ldmatrix
//   weights of step + prefetch  -> registers            (loads in flight)
//
// Weights are the left operand, x the right one: a lane's sums are columns r
// and r + 8 of W, rows 2 c and 2 c + 1 of x, with r = lane / 4, c = lane % 4.
// After the loop the warps along K add up through shared memory, in their
// order, and all threads together compute what the kernel does with the sum.
// Where columns are few, the blocks of a cluster divide the steps over K, and
// read each other's sums in the same way.
//
//===----------------------------------------------------------------------===//

#include "Conversion/FragmentCodes.h"
#include "Conversion/MmaPackedPlan.h"
#include "Conversion/Schedule.h"
#include "Conversion/StagedRows.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"

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
  Values compute(ValueRange sums, ValueRange weights, Value slot);
  Values multiply(ValueRange sums, ArrayRef<Value> fragment,
                  ArrayRef<Value> right);
  Values step(Value step, int64_t prefetched, ValueRange carried);
  LogicalResult writeBack(ValueRange sums);
  void synchronize();
  Value ofBlock(Value address, int64_t number);

  size_t sumCount() const { return plan.tiles() * plan.tokens() * 4; }
  size_t weightCount() const {
    return plan.tiles() * (plan.laneWords() + 2 * plan.scalesPerStep());
  }
  Value nextSlot(Value slot);

  const MmaPackedPlan &plan;
  const MmaPackedOptions &options;
  TileEvaluator &evaluator;
  Type element;
  layout::PackedOrder order;
  FragmentCodes codes;
  /// part: which of the blocks that divide K this is; null if it is alone.
  Value shared, thread, part, lane, warpK, warpN;
  /// The steps over K of this block, where its warps' steps end, and the units
  /// and tiles of 16 columns of all.
  Value firstStep, endStep, endWarpStep, units, tiles;
  /// This lane's place in each plane of the first unit and in the first row of
  /// scales, and the bytes from one to the next.
  Values codesAt;
  Value scalesAt, unitPitch, groupPitch;
  /// How many tiles are from a warp's first to each; empty where t is it.
  Values tileOffsets;
  /// Rows of x in this block.
  Value rows;
  std::optional<StagedRows> x;
};

PackedBuilder::PackedBuilder(const MmaPackedPlan &plan,
                             const MmaPackedOptions &options, GpuBody &body)
    : WordMath(body.evaluator.builder()), plan(plan), options(options),
      evaluator(body.evaluator), element(plan.element()), order(plan.order()),
      codes(b, plan.bits, element), shared(body.shared), thread(body.thread),
      part(body.part) {}

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
  SmallVector<Type> types(words, b.op().getI32Type());
  Type result = LLVM::LLVMStructType::getLiteral(element.getContext(), types);
  std::string list, outputs, ties;
  for (size_t i = 0; i < words; ++i) {
    list += (i ? ", $" : "$") + std::to_string(i);
    outputs += "=r,";
    ties += "," + std::to_string(i);
  }
  std::string text = "@$" + std::to_string(words + 1) + " ld.global.nc" +
                     (keep ? "" : ".L1::no_allocate") + ".v" +
                     std::to_string(words) + ".u32 {" + list + "}, [$" +
                     std::to_string(words) + "+" + std::to_string(offset) +
                     "];";
  Values operands = {pointer, condition};
  llvm::append_range(operands, before);
  auto loaded = b.create<LLVM::InlineAsmOp>(
      result, operands, text, outputs + "l,b" + ties,
      /*has_side_effects=*/true, /*is_align_stack=*/false,
      LLVM::tailcallkind::TailCallKind::None, LLVM::AsmDialectAttr(),
      ArrayAttr());
  Values values;
  for (size_t i = 0; i < words; ++i)
    values.push_back(b.create<LLVM::ExtractValueOp>(loaded.getRes(),
                                                    static_cast<int64_t>(i)));
  return values;
}

/// The words of this warp's rows of `step`, unit by unit and tile by tile, then
/// its scales and zero points; `before` where there are no such rows.
SmallVector<Value> PackedBuilder::loadWeights(Value step, ValueRange before) {
  Value warpStep = add(mul(step, b.i32(plan.warpsK())), warpK);
  Value there = less(warpStep, endWarpStep);
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
    Value unit = add(mul(warpStep, b.i32(plan.units())), b.i32(u));
    // Beyond K x is 0, and any codes will do.
    if (!plan.wholeSteps)
      unit = b.make<arith::MinUIOp>(unit, add(units, b.i32(-1)));
    Value toUnit = mul(wide(unit), unitPitch);
    for (int64_t t = 0; t < plan.tiles(); ++t)
      for (auto [plane, from] : llvm::zip_equal(order.planes(), codesAt))
        load(at(from, toUnit), t, 4 * order.unitWords(), plane.laneWords,
             /*keep=*/false);
  }
  for (int64_t s = 0; s < plan.scalesPerStep(); ++s) {
    Value group;
    if (plan.groupRows % MmaPackedPlan::warpRows == 0)
      group = div(warpStep, plan.groupRows / MmaPackedPlan::warpRows);
    else
      group = div(add(mul(warpStep, b.i32(MmaPackedPlan::warpRows)),
                      b.i32(s * plan.stepsPerScale() * 16)),
                  plan.groupRows);
    if (!plan.wholeSteps && plan.scalesPerStep() > 1) {
      auto scales = cast<MatrixType>(plan.scales.getType());
      Value last =
          add(narrow(evaluator.sizeValue(scales.getShape()[0])), b.i32(-1));
      group = b.make<arith::MinUIOp>(group, last);
    }
    Value row = at(scalesAt, mul(wide(group), groupPitch));
    for (int64_t t = 0; t < plan.tiles(); ++t)
      load(row, t, 64, 2, /*keep=*/true);
  }
  return loaded;
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// Four sums each: `fragment` times the two registers of x for each 8 rows.
SmallVector<Value> PackedBuilder::multiply(ValueRange sums,
                                           ArrayRef<Value> fragment,
                                           ArrayRef<Value> right) {
  MLIRContext *context = element.getContext();
  Type f32 = b.op().getF32Type();
  Type result = LLVM::LLVMStructType::getLiteral(context, {f32, f32, f32, f32});
  NVVM::MMATypes type =
      element.isF16() ? NVVM::MMATypes::f16 : NVVM::MMATypes::bf16;
  // The operation takes pairs of f16 as vectors and pairs of bf16 as words.
  auto asOperand = [&](Value value) -> Value {
    Type wanted = element.isF16() ? Type(VectorType::get({2}, element))
                                  : Type(b.op().getI32Type());
    return value.getType() == wanted
               ? value
               : Value(b.make<LLVM::BitcastOp>(wanted, value));
  };
  Values left = llvm::map_to_vector(fragment, asOperand), next;
  for (int64_t m = 0; m < plan.tokens(); ++m) {
    Values x = {asOperand(right[2 * m]), asOperand(right[2 * m + 1])};
    auto product = b.create<NVVM::MmaOp>(
        result, left, x, sums.slice(4 * m, 4), ArrayRef<int64_t>{16, 8, 16},
        std::nullopt, std::nullopt, std::array<NVVM::MMATypes, 2>{type, type},
        std::array<NVVM::MMALayout, 2>{NVVM::MMALayout::row,
                                       NVVM::MMALayout::col});
    for (int64_t i = 0; i < 4; ++i)
      next.push_back(b.create<LLVM::ExtractValueOp>(product.getRes(), i));
  }
  return next;
}

/// `sums` plus the product of one step: `weights` in registers, x at `slot`.
SmallVector<Value> PackedBuilder::compute(ValueRange sums, ValueRange weights,
                                          Value slot) {
  MLIRContext *context = element.getContext();
  Type i32 = b.op().getI32Type();
  Type four = LLVM::LLVMStructType::getLiteral(context, {i32, i32, i32, i32});
  Values result(sums);
  size_t perTile = plan.tokens() * 4;
  Values zeros(perTile, b.splat(b.op().getF32Type(), 0));
  SmallVector<Values> partial(plan.tiles(), zeros);
  int64_t stepsPerUnit = plan.unitRows() / 16, laneWords = order.laneWords();
  ValueRange scales = weights.drop_front(plan.tiles() * plan.laneWords());

  // ldmatrix: lane l names row l % 8 of x of matrix l / 8. The 16 bytes of
  // column chunk c of a row lie at chunk c ^ row % 8, so that eight rows are
  // in different banks.
  Value row = rem(lane, 8), matrix = div(lane, 8);
  Value chunk = b.make<arith::XOrIOp>(matrix, row);
  Value place = add(mul(row, b.i32(128)), mul(chunk, b.i32(16)));
  Value base = add(add(slot, place), mul(warpK, b.i32(2 * plan.blockM * 128)));
  Value other = b.make<arith::XOrIOp>(place, b.i32(64));
  Value otherBase =
      add(add(slot, other), mul(warpK, b.i32(2 * plan.blockM * 128)));

  for (int64_t pairStep = 0; pairStep < 4; ++pairStep) {
    // x of two steps of 16: for each 8 rows two registers a step.
    Values right[2];
    for (int64_t m = 0; m < plan.tokens(); ++m) {
      Value from = at(shared, pairStep % 2 ? otherBase : base);
      from = at(from, b.i32(pairStep / 2 * plan.blockM * 128 + m * 1024));
      auto loaded = b.create<NVVM::LdMatrixOp>(
          four, from, /*num=*/4, NVVM::MMALayout::row,
          NVVM::LdStMatrixShapeAttr::get(context, 8, 8),
          NVVM::LdStMatrixEltType::B16);
      for (int64_t i = 0; i < 4; ++i)
        right[i / 2].push_back(
            b.create<LLVM::ExtractValueOp>(loaded.getRes(), i));
    }
    for (int64_t half = 0; half < 2; ++half) {
      int64_t k = pairStep * 2 + half;
      int64_t s = k / plan.stepsPerScale();
      bool last = (k + 1) % plan.stepsPerScale() == 0;
      for (int64_t t = 0; t < plan.tiles(); ++t) {
        int64_t unit = k / stepsPerUnit;
        Values words(
            weights.slice((unit * plan.tiles() + t) * laneWords, laneWords));
        ValueRange group = scales.slice((s * plan.tiles() + t) * 2, 2);
        FragmentCodes::Group scale = {group[0], group[1]};
        SmallVector<Value, 4> fragment = codes.fragment(
            words, k % stepsPerUnit, scale, /*scaled=*/!plan.scalesSums());
        auto total = MutableArrayRef(result).slice(t * perTile, perTile);
        if (!plan.scalesSums()) {
          llvm::copy(multiply(ValueRange(total), fragment, right[half]),
                     total.begin());
          continue;
        }
        partial[t] = multiply(partial[t], fragment, right[half]);
        if (!last)
          continue;
        for (size_t i = 0; i < perTile; ++i)
          total[i] = b.make<math::FmaOp>(
              partial[t][i], codes.scaleAsFloat(scale, i % 4 >= 2), total[i]);
        partial[t] = zeros;
      }
    }
  }
  return result;
}

//===----------------------------------------------------------------------===//
// The loop
//===----------------------------------------------------------------------===//

Value PackedBuilder::nextSlot(Value slot) {
  Value next = add(slot, b.i32(plan.stageBytes()));
  Value end = b.i32(plan.stages * plan.stageBytes());
  return select(less(next, end), next, b.i32(0));
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
  Values fetched = x->fetch(add(step, b.i32(plan.stages - 1)), filled);
  ValueRange sums = carried.take_front(sumCount());
  ValueRange weights =
      carried.slice(sumCount() + prefetched * weightCount(), weightCount());
  auto multiplied = [&] { return compute(sums, weights, slot); };
  Values next;
  if (plan.wholeK)
    next = multiplied();
  else {
    Value warpStep = add(mul(step, b.i32(plan.warpsK())), warpK);
    next = branch(less(warpStep, endWarpStep), sums, multiplied);
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
  StoreOp store = plan.product.store;
  FailureOr<Value> mBlock = evaluator.scalar(store.getCoordinates()[0]),
                   nBlock = evaluator.scalar(store.getCoordinates()[1]);
  FailureOr<Value> rowsInside = evaluator.extentInside(store, 0);
  if (failed(mBlock) || failed(nBlock) || failed(rowsInside))
    return failure();
  rows = narrow(*rowsInside);
  lane = rem(thread, 32);
  Value warp = div(thread, 32);
  warpK = rem(warp, plan.warpsK());
  warpN = div(warp, plan.warpsK());
  Value K = narrow(
      evaluator.sizeValue(cast<MatrixType>(plan.x.getType()).getShape()[1]));
  Value N =
      narrow(evaluator.sizeValue(store.getMatrix().getType().getShape()[1]));
  firstStep = b.i32(0);
  endStep = ceilDiv(K, plan.blockK);
  endWarpStep = ceilDiv(K, MmaPackedPlan::warpRows);
  Value endOfX = K;
  if (part) {
    // Blocks take steps one after another, as evenly as they come.
    Value all = endStep;
    firstStep = div(mul(all, part), options.splits);
    endStep = div(mul(all, add(part, b.i32(1))), options.splits);
    endWarpStep =
        b.make<arith::MinUIOp>(endWarpStep, mul(endStep, b.i32(plan.warpsK())));
    endOfX = b.make<arith::MinUIOp>(K, mul(endStep, b.i32(plan.blockK)));
  }
  units = ceilDiv(K, plan.unitRows());
  tiles = ceilDiv(N, MmaPackedPlan::tileColumns);

  Value tile =
      add(mul(narrow(*nBlock), b.i32(plan.blockN / MmaPackedPlan::tileColumns)),
          mul(warpN, b.i32(plan.tiles())));
  int64_t unitBytes = 4 * order.unitWords();
  unitPitch = mul(wide(tiles), i64(unitBytes));
  groupPitch = mul(wide(tiles), i64(64));
  for (const layout::PackedOrder::Plane &plane : order.planes()) {
    Value inUnit =
        add(b.i32(4 * plane.firstWord), mul(lane, b.i32(4 * plane.laneWords)));
    codesAt.push_back(at(evaluator.matrix(plan.codes).address,
                         add(mul(wide(tile), i64(unitBytes)), wide(inUnit))));
  }
  scalesAt =
      at(evaluator.matrix(plan.scales).address,
         add(mul(wide(tile), i64(64)), wide(mul(div(lane, 4), b.i32(8)))));
  if (!plan.wholeN)
    for (int64_t t = 0; t < plan.tiles(); ++t) {
      // Tiles beyond the last repeat it; they are not stored.
      Value clamped =
          b.make<arith::MinSIOp>(add(tile, b.i32(t)), add(tiles, b.i32(-1)));
      tileOffsets.push_back(wide(b.make<arith::SubIOp>(clamped, tile)));
    }

  Value firstRow = mul(narrow(*mBlock), b.i32(plan.blockM));
  x.emplace(plan, evaluator, shared, thread, firstRow, rows, endOfX);
  if (options.overlap)
    b.create<NVVM::GriddepcontrolOp>(
        NVVM::GridDepActionKind::launch_dependents);
  Values carried(sumCount(), b.splat(b.op().getF32Type(), 0));
  for (int64_t d = 0; d < plan.prefetch; ++d)
    llvm::append_range(carried, loadWeights(add(firstStep, b.i32(d)),
                                            Values(weightCount(), b.i32(0))));
  // x is what the kernel before may have written; weights are not.
  if (options.overlap)
    b.create<NVVM::GriddepcontrolOp>(NVVM::GridDepActionKind::wait);
  for (int64_t s = 0; s + 1 < plan.stages; ++s) {
    Value slot = b.i32(s * plan.stageBytes());
    x->place(x->fetch(add(firstStep, b.i32(s)), slot), slot);
  }
  carried.push_back(b.i32(0));

  int64_t ahead = plan.prefetch;
  auto loop = b.create<scf::ForOp>(firstStep, endStep, b.i32(ahead), carried);
  if (!loop.getBody()->empty())
    loop.getBody()->back().erase();
  b.inBlock(loop.getBody(), [&] {
    Values next(loop.getRegionIterArgs());
    for (int64_t d = 0; d < ahead; ++d) {
      Value number = add(loop.getInductionVar(), b.i32(d));
      auto run = [&] { return step(number, d, next); };
      next = d == 0 ? run() : branch(less(number, endStep), next, run);
    }
    b.create<scf::YieldOp>(next);
  });
  return writeBack(loop.getResults().take_front(sumCount()));
}

//===----------------------------------------------------------------------===//
// After the loop
//===----------------------------------------------------------------------===//

/// Waits for all threads that share sums: of the block, or of its cluster.
void PackedBuilder::synchronize() {
  if (!part) {
    b.create<NVVM::Barrier0Op>();
    return;
  }
  // Not the aligned forms: threads come from loops of different lengths.
  b.create<NVVM::ClusterArriveOp>(UnitAttr());
  b.create<NVVM::ClusterWaitOp>(UnitAttr());
}

/// The shared memory of block `number` of the cluster where `address` is ours.
Value PackedBuilder::ofBlock(Value address, int64_t number) {
  constexpr unsigned clusterSpace = 7;
  Type pointer = LLVM::LLVMPointerType::get(element.getContext(), clusterSpace);
  return b.create<NVVM::MapaOp>(pointer, address, b.i32(number));
}

LogicalResult PackedBuilder::writeBack(ValueRange sums) {
  scf::ForOp loop = plan.product.loop;
  StoreOp store = plan.product.store;
  Type f32 = b.op().getF32Type();
  // The sums take the place of x.
  if (plan.copiesX)
    b.create<NVVM::CpAsyncWaitGroupOp>(0);
  b.create<NVVM::Barrier0Op>();
  Value column = add(mul(warpN, b.i32(plan.tiles() * 16)), div(lane, 4));
  Value row = add(mul(warpK, b.i32(plan.blockM)), mul(rem(lane, 4), b.i32(2)));
  Value base =
      at(shared, mul(add(mul(row, b.i32(plan.sumPitch())), column), b.i32(4)));
  for (int64_t t = 0, n = 0; t < plan.tiles(); ++t)
    for (int64_t m = 0; m < plan.tokens(); ++m)
      for (int64_t i = 0; i < 4; ++i, ++n) {
        int64_t place = (m * 8 + i % 2) * plan.sumPitch() + t * 16 + i / 2 * 8;
        b.create<LLVM::StoreOp>(sums[n], at(base, b.i32(place * 4)), 4);
      }
  synchronize();

  int lanes = evaluator.usableLanes(store, 4);
  int64_t perRow = plan.blockN / lanes;
  LogicalResult result = success();
  Value end = mul(rows, b.i32(perRow));
  // The blocks that divide K divide the elements, too.
  Value first = thread;
  if (part)
    first = add(thread, mul(part, b.i32(plan.threads())));
  auto elements =
      b.create<scf::ForOp>(first, end, b.i32(plan.threads() * options.splits));
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
          for (int64_t split = 0; split < options.splits; ++split) {
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
        return PackedBuilder(plan, options, body).build();
      },
      options.splits);
}
