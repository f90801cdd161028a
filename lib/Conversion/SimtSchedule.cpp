//===- Conversion/SimtSchedule.cpp - One element a thread -----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The schedule `simt`: the threads of a program take the elements of what it
// stores in turn, along rows, so that neighbours in a warp touch neighbours in
// memory. It is for kernels that other schedules refuse. With overlap a program
// starts while the kernel before it on the stream still runs, waits for that
// one's end, and lets the kernel after it do the same.
//
// A kernel that only gathers columns has read which by then: that is of
// weights, which no kernel before it writes. It reads all that a thread stores
// before any of it is written, so that it waits for memory once; with held from
// rows in shared memory (GatheredRows.h).
//
//===----------------------------------------------------------------------===//

#include "Conversion/GatheredRows.h"
#include "Conversion/InlinePtx.h"
#include "Conversion/Schedule.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::ir;

/// Writes one store's tile, an element a thread at a time.
static LogicalResult storeElements(TileEvaluator &evaluator, StoreOp store,
                                   Value thread, int64_t threads) {
  ValueBuilder &b = evaluator.builder();
  TileType tile = store.getTile().getType();
  int64_t last = tile.getRank() - 1;
  int64_t width = tile.getDim(last);
  int64_t elements = last == 1 ? tile.getDim(0) * width : width;
  LogicalResult result = success();
  auto write = [&](const Position &element) {
    Position row, column = element;
    if (last == 1) {
      row = element.dividedBy(b, width);
      column = element.remainder(b, width);
    }
    result = evaluator.store(store, row, column, /*lanes=*/1);
  };
  int64_t whole = elements / threads;
  Position own = Position::of(thread, 1, threads);
  if (whole != 0)
    b.loop(b.index(whole), 1, {}, [&](Value turn, ValueRange) {
      write(Position::of(turn, threads, whole) + own);
      return SmallVector<Value>();
    });
  if (failed(result) || elements % threads == 0)
    return result;
  Value takesPart = b.make<arith::CmpIOp>(arith::CmpIPredicate::ult, thread,
                                          b.index(elements % threads));
  b.when(takesPart, [&] { write(own + Position(whole * threads)); });
  return result;
}

namespace {
/// A kernel that does nothing but store columns of a matrix, few a thread, that
/// it gathers by numbers it loads.
struct Gathering {
  GatherColumnsOp gather;
  StoreOp store;
};
} // namespace

/// What makes of `kernel` more than that, or `found`.
static std::optional<Refusal> matchGathering(KernelOp kernel, int64_t threads,
                                             Gathering &found) {
  for (Operation &op : kernel.getBody().front()) {
    if (!isa<LoadOp, GatherColumnsOp, RoundOp, StoreOp, ProgramIdOp,
             TileOrderOp>(op) &&
        !isa<arith::ArithDialect>(op.getDialect()))
      return Refusal{&op, "does more than gather and store columns"};
  }
  auto gathers = kernel.getOps<GatherColumnsOp>();
  auto stores = kernel.getOps<StoreOp>();
  if (!llvm::hasSingleElement(gathers) || !llvm::hasSingleElement(stores))
    return Refusal{kernel, "does not gather columns and store them once"};
  auto [gather, store] = found = {*gathers.begin(), *stores.begin()};
  if (!gather.getColumns().getDefiningOp<LoadOp>())
    return Refusal{gather, "takes numbers of columns that are not loaded"};
  TileType tile = store.getTile().getType();
  if (tile.getShape() != gather.getTile().getType().getShape() ||
      store.getCoordinates()[0] != gather.getRow() ||
      store.getMatrix().getType().getShape()[0] !=
          gather.getMatrix().getType().getShape()[0])
    return Refusal{store, "stores other rows than those that are gathered"};
  constexpr int64_t most = 32;
  int64_t elements = tile.getDim(0) * tile.getDim(1);
  if (elements % threads != 0 || elements / threads > most)
    return Refusal{store, "stores " + std::to_string(elements) +
                              " elements by " + std::to_string(threads) +
                              " threads, not 1 to " + std::to_string(most) +
                              " by each"};
  return std::nullopt;
}

/// Writes the tile that `gathering` stores, all elements of a thread at once,
/// and calls `bring` once it has read which columns it gathers.
static LogicalResult storeTogether(TileEvaluator &evaluator,
                                   Gathering gathering, Value thread,
                                   int64_t threads,
                                   function_ref<LogicalResult()> bring) {
  struct Element {
    Position row, column;
    TileEvaluator::Elements number, value;
  };
  auto [gather, store] = gathering;
  TileType tile = store.getTile().getType();
  SmallVector<Element, 0> own(tile.getDim(0) * tile.getDim(1) / threads);
  for (auto [i, element] : llvm::enumerate(own)) {
    Position place = Position::of(thread, 1, threads) +
                     Position(static_cast<int64_t>(i) * threads);
    element.row = place.dividedBy(evaluator.builder(), tile.getDim(1));
    element.column = place.remainder(evaluator.builder(), tile.getDim(1));
    auto number = evaluator.evaluate(gather.getColumns(), Position(),
                                     element.column, /*lanes=*/1);
    if (failed(number))
      return failure();
    element.number = *number;
  }
  if (failed(bring()))
    return failure();
  auto give = [&](Value of, const TileEvaluator::Elements &elements) {
    evaluator.bind(of, [&](auto, auto, int) { return elements; });
  };
  for (Element &element : own) {
    give(gather.getColumns(), element.number);
    auto value = evaluator.evaluate(store.getTile(), element.row,
                                    element.column, /*lanes=*/1);
    if (failed(value))
      return failure();
    element.value = *value;
  }
  for (Element &element : own) {
    give(store.getTile(), element.value);
    if (failed(evaluator.store(store, element.row, element.column,
                               /*lanes=*/1)))
      return failure();
  }
  return success();
}

LogicalResult nibble::scheduleSimt(KernelOp kernel, const SimtOptions &simt) {
  if (failed(checkSchedulable(kernel)))
    return failure();
  int64_t threads = simt.warps * 32;
  Gathering gathering;
  GatheredRowsPlan held;
  std::optional<Refusal> refusal = matchGathering(kernel, threads, gathering);
  const bool gathers = !refusal;
  if (simt.held) {
    if (gathers)
      refusal =
          planGatheredRows(gathering.gather, threads, simt.sharedBytes, held);
    if (refusal)
      return emitRefusal("simt", *refusal);
  }
  EvaluatorOptions options;
  options.addressSpace = 1;
  auto build = [&](GpuBody &body) -> LogicalResult {
    ValueBuilder &b = body.evaluator.builder();
    Value thread =
        b.make<arith::IndexCastUIOp>(b.op().getIndexType(), body.thread);
    if (simt.overlap) {
      body.function->setAttr(overlapAttrName, b.op().getUnitAttr());
      b.create<NVVM::GriddepcontrolOp>(
          NVVM::GridDepActionKind::launch_dependents);
    }
    auto wait = [&] {
      if (simt.overlap)
        waitForKernelBefore(b);
    };
    if (gathers)
      return storeTogether(body.evaluator, gathering, thread, threads, [&] {
        wait();
        return simt.held ? holdGatheredRows(held, body) : success();
      });
    wait();
    return walkStores(
        &kernel.getBody().front(), body.evaluator, [&](StoreOp store) {
          return storeElements(body.evaluator, store, thread, threads);
        });
  };
  return buildGpuFunction(kernel, "simt", threads, held.bytes(), options,
                          build);
}
