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
// after it do the same.
//
//===----------------------------------------------------------------------===//

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

LogicalResult nibble::scheduleSimt(KernelOp kernel, int warps, bool overlap) {
  if (failed(checkSchedulable(kernel)))
    return failure();
  int64_t threads = warps * 32;
  EvaluatorOptions options;
  options.addressSpace = 1;
  return buildGpuFunction(
      kernel, "simt", threads, /*sharedBytes=*/0, options, [&](GpuBody &body) {
        ValueBuilder &b = body.evaluator.builder();
        if (overlap) {
          body.function->setAttr(overlapAttrName, b.op().getUnitAttr());
          for (NVVM::GridDepActionKind action :
               {NVVM::GridDepActionKind::launch_dependents,
                NVVM::GridDepActionKind::wait})
            b.create<NVVM::GriddepcontrolOp>(action);
        }
        Value thread =
            b.make<arith::IndexCastUIOp>(b.op().getIndexType(), body.thread);
        return walkStores(
            &kernel.getBody().front(), body.evaluator, [&](StoreOp store) {
              return storeElements(body.evaluator, store, thread, threads);
            });
      });
}
