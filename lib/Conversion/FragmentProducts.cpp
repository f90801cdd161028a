//===- Conversion/FragmentProducts.cpp - Products of fragments by mma.sync ===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See FragmentProducts.h.
//
//===----------------------------------------------------------------------===//

#include "Conversion/FragmentProducts.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace nibble;

/// Four sums each: `fragment` times the two registers of x for each 8 rows.
SmallVector<Value> FragmentProducts::multiply(ValueRange sums,
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

SmallVector<Value> FragmentProducts::compute(ValueRange sums,
                                             ValueRange weights, Value x) {
  // Lane l names row l % 8 of x of matrix l / 8. The 16 bytes of column chunk c
  // of a row lie at chunk c ^ row % 8, so that eight rows are in different
  // banks.
  Value row = rem(lane, 8), matrix = div(lane, 8);
  Value chunk = b.make<arith::XOrIOp>(matrix, row);
  Value place = add(mul(row, b.i32(128)), mul(chunk, b.i32(16)));
  Value other = b.make<arith::XOrIOp>(place, b.i32(64));
  return compute(sums, weights, [&](int64_t part, int64_t m) {
    Value from = at(x, part % 2 ? other : place);
    return at(from, b.i32(part / 2 * plan.blockM * 128 + m * 1024));
  });
}

SmallVector<Value> FragmentProducts::compute(ValueRange sums,
                                             ValueRange weights, HeldRows &held,
                                             ValueRange columns) {
  // Lane l names row l % 8 of matrix l / 8, a column of x: they are transposed.
  return compute(sums, weights, [&](int64_t part, int64_t m) {
    return held.place(columns[part], m);
  });
}

SmallVector<Value> FragmentProducts::compute(ValueRange sums,
                                             ValueRange weights, RowOfX x) {
  MLIRContext *context = element.getContext();
  Type i32 = b.op().getI32Type();
  Type four = LLVM::LLVMStructType::getLiteral(context, {i32, i32, i32, i32});
  Values result(sums);
  size_t perTile = plan.tokens() * 4;
  Values zeros(perTile, b.splat(b.op().getF32Type(), 0));
  SmallVector<Values> partial(plan.tiles(), zeros);
  int64_t stepsPerUnit = plan.unitRows() / 16,
          laneWords = plan.order().laneWords();
  ValueRange scales = weights.drop_front(plan.tiles() * plan.laneWords());

  for (int64_t pairStep = 0; pairStep < 4; ++pairStep) {
    // x of two steps of 16: for each 8 rows two registers a step.
    Values right[2];
    for (int64_t m = 0; m < plan.tokens(); ++m) {
      auto loaded = b.create<NVVM::LdMatrixOp>(
          four, x(pairStep, m), /*num=*/4,
          plan.holds() ? NVVM::MMALayout::col : NVVM::MMALayout::row,
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
        llvm::copy(codes.addScaled(ValueRange(total), partial[t], scale),
                   total.begin());
        partial[t] = zeros;
      }
    }
  }
  return result;
}
