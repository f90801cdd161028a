//===- Conversion/SimtSchedule.cpp - One element a thread -----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The schedule `simt`: the threads of a program take the elements of what it
// stores in turn, along rows, so that neighbours in a warp touch neighbours in
// memory. Nothing is shared and nothing is staged; it is for kernels that
// other schedules refuse. With overlap a program starts while the kernel before
// it on the stream still runs, waits for that one's end, and lets the kernel
// after it do the same. A kernel that only moves elements by rows it reads has
// read those by then: they are of weights, which no kernel before it writes.
// And it reads all that a thread stores before any of it is written, so that it
// waits for memory once.
//
//===----------------------------------------------------------------------===//

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

/// The store of a kernel that does nothing but move elements by rows that it
/// loads, few a thread; null for others.
static StoreOp onlyMoves(KernelOp kernel, int64_t threads) {
  constexpr int64_t most = 32;
  StoreOp store;
  for (Operation &op : kernel.getBody().front()) {
    if (!isa<LoadOp, GatherOp, RoundOp, StoreOp, ProgramIdOp, TileOrderOp>(
            op) &&
        !isa<arith::ArithDialect>(op.getDialect()))
      return StoreOp();
    if (auto found = dyn_cast<StoreOp>(op)) {
      if (store)
        return StoreOp();
      store = found;
    }
  }
  if (!store || store.getTile().getType().getRank() != 2)
    return StoreOp();
  TileType tile = store.getTile().getType();
  for (GatherOp gather : kernel.getOps<GatherOp>())
    if (gather.getTile().getType().getShape() != tile.getShape() ||
        !gather.getRows().getDefiningOp<LoadOp>())
      return StoreOp();
  int64_t elements = tile.getDim(0) * tile.getDim(1);
  return elements % threads == 0 && elements / threads <= most ? store
                                                               : StoreOp();
}

/// Writes one store's tile, all elements of a thread at once, and calls `wait`
/// once the rows are read that gathers name.
static LogicalResult storeTogether(TileEvaluator &evaluator, StoreOp store,
                                   Value thread, int64_t threads,
                                   function_ref<void()> wait) {
  struct Element {
    Position row, column;
    SmallVector<TileEvaluator::Elements, 1> named;
    TileEvaluator::Elements value;
  };
  SmallVector<GatherOp, 1> gathers(
      store->getParentOfType<KernelOp>().getOps<GatherOp>());
  TileType tile = store.getTile().getType();
  SmallVector<Element, 0> own(tile.getDim(0) * tile.getDim(1) / threads);
  for (auto [i, element] : llvm::enumerate(own)) {
    Position place = Position::of(thread, 1, threads) +
                     Position(static_cast<int64_t>(i) * threads);
    element.row = place.dividedBy(evaluator.builder(), tile.getDim(1));
    element.column = place.remainder(evaluator.builder(), tile.getDim(1));
    for (GatherOp gather : gathers) {
      auto rows = evaluator.evaluate(gather.getRows(), Position(), element.row,
                                     /*lanes=*/1);
      if (failed(rows))
        return failure();
      element.named.push_back(*rows);
    }
  }
  wait();
  auto give = [&](Value of, const TileEvaluator::Elements &elements) {
    evaluator.bind(of, [&](auto, auto, int) { return elements; });
  };
  for (Element &element : own) {
    for (auto [gather, rows] : llvm::zip_equal(gathers, element.named))
      give(gather.getRows(), rows);
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

LogicalResult nibble::scheduleSimt(KernelOp kernel, int warps, bool overlap) {
  if (failed(checkSchedulable(kernel)))
    return failure();
  int64_t threads = warps * 32;
  EvaluatorOptions options;
  options.addressSpace = 1;
  auto build = [&](GpuBody &body) -> LogicalResult {
    ValueBuilder &b = body.evaluator.builder();
    Value thread =
        b.make<arith::IndexCastUIOp>(b.op().getIndexType(), body.thread);
    auto wait = [&] { waitForKernelBefore(b); };
    if (overlap) {
      body.function->setAttr(overlapAttrName, b.op().getUnitAttr());
      b.create<NVVM::GriddepcontrolOp>(
          NVVM::GridDepActionKind::launch_dependents);
      if (StoreOp store = onlyMoves(kernel, threads))
        return storeTogether(body.evaluator, store, thread, threads, wait);
      wait();
    }
    return walkStores(
        &kernel.getBody().front(), body.evaluator, [&](StoreOp store) {
          return storeElements(body.evaluator, store, thread, threads);
        });
  };
  return buildGpuFunction(kernel, "simt", threads, /*sharedBytes=*/0, options,
                          build);
}
