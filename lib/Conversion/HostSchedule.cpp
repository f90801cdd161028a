//===- Conversion/HostSchedule.cpp - Vector loops on the CPU --------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The schedule `host`. A program's block of the output is cut into pieces of a
// few rows by a few vectors, small enough that the accumulators of one piece
// stay in registers for all of K:
//
//           columns ->   |vector|vector|vector|vector|
//      rows    row 0       acc    acc    acc    acc      a row shares its
//       |      row 1       acc    acc    acc    acc      activations, a column
//       v      ...                                       its decoded weights
//
// Programs are independent: the caller splits them over its threads.
//
//===----------------------------------------------------------------------===//

#include "Conversion/Interface.h"
#include "Conversion/Schedule.h"
#include <numeric>

using namespace mlir;
using namespace nibble;
using namespace nibble::ir;

/// Accumulators of a piece: half of the vector registers of AVX-512, all of
/// AVX2, where the other operands of an fma come from memory.
static constexpr int64_t accumulators = 16;

/// The largest divisor of `extent` that is at most `limit`.
static int64_t divisorUpTo(int64_t extent, int64_t limit) {
  for (int64_t each = std::min(extent, limit); each > 1; --each)
    if (extent % each == 0)
      return each;
  return 1;
}

/// Writes one store's tile, piece by piece.
static LogicalResult storePieces(TileEvaluator &evaluator, StoreOp store,
                                 int vectorLanes) {
  ValueBuilder &b = evaluator.builder();
  TileType tile = store.getTile().getType();
  int64_t last = tile.getRank() - 1;
  int64_t height = last == 1 ? tile.getDim(0) : 1;
  int64_t width = tile.getDim(last);
  int lanes = evaluator.usableLanes(store, vectorLanes);
  int64_t rows = divisorUpTo(height, 4);
  int64_t vectors = divisorUpTo(width / lanes, accumulators / rows);
  int64_t columns = vectors * lanes;

  FailureOr<Value> rowsInside = Value(b.index(1));
  if (last == 1)
    rowsInside = evaluator.extentInside(store, 0);
  FailureOr<Value> columnsInside = evaluator.extentInside(store, last);
  if (failed(rowsInside) || failed(columnsInside))
    return failure();
  LogicalResult result = success();
  auto pieces = [&](Value inside, int64_t size,
                    function_ref<void(const Position &)> body, int64_t extent) {
    if (extent == size)
      return body(Position());
    Value count = b.make<arith::CeilDivUIOp>(inside, b.index(size));
    b.loop(count, 1, {}, [&](Value counter, ValueRange) {
      body(Position::of(counter, size, extent / size));
      return SmallVector<Value>();
    });
  };
  pieces(
      *rowsInside, rows,
      [&](const Position &firstRow) {
        pieces(
            *columnsInside, columns,
            [&](const Position &firstColumn) {
              SmallVector<Position> down, across;
              for (int64_t i = 0; i < rows; ++i)
                down.push_back(firstRow + Position(i));
              for (int64_t j = 0; j < vectors; ++j)
                across.push_back(firstColumn + Position(j * lanes));
              if (failed(evaluator.store(store, down, across, lanes)))
                result = failure();
            },
            width);
      },
      height);
  return result;
}

LogicalResult nibble::scheduleHost(KernelOp kernel, int vectorBits) {
  if (failed(checkSchedulable(kernel)))
    return failure();
  MLIRContext *context = kernel.getContext();
  Type pointer = LLVM::LLVMPointerType::get(context);
  Type word = IntegerType::get(context, 64);
  LLVM::LLVMFuncOp function =
      makeFunction(kernel, "host", {pointer, word, word});
  Block *entry = &function.getBody().front();
  ValueBuilder b(OpBuilder::atBlockEnd(entry), kernel.getLoc());

  SmallVector<Value> words;
  for (const auto &[number, each] :
       llvm::enumerate(interfaceOf(kernel).words())) {
    Value place = b.make<LLVM::GEPOp>(
        pointer, word, entry->getArgument(0),
        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(number)});
    Type type = each.kind == KernelWord::Address ? pointer : word;
    words.push_back(b.make<LLVM::LoadOp>(type, place, 8));
  }
  Value first =
      b.make<arith::IndexCastOp>(b.op().getIndexType(), entry->getArgument(1));
  Value end =
      b.make<arith::IndexCastOp>(b.op().getIndexType(), entry->getArgument(2));
  EvaluatorOptions options;
  options.excessPrecision = true;
  LogicalResult result = success();
  auto programs = b.create<scf::ForOp>(first, end, b.index(1));
  b.inBlock(programs.getBody(), [&] {
    TileEvaluator evaluator(kernel, b, words, programs.getInductionVar(),
                            options);
    result =
        walkStores(&kernel.getBody().front(), evaluator, [&](StoreOp store) {
          return storePieces(evaluator, store, vectorBits / 32);
        });
  });
  b.create<LLVM::ReturnOp>(ValueRange());
  if (failed(result)) {
    function.erase();
    return failure();
  }
  kernel.erase();
  return success();
}
