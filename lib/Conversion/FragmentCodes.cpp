//===- Conversion/FragmentCodes.cpp - Packed words to fragments -----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See FragmentCodes.h.
//
//===----------------------------------------------------------------------===//

#include "Conversion/FragmentCodes.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>

using namespace mlir;
using namespace nibble;

FragmentCodes::FragmentCodes(ValueBuilder &builder, int64_t bits, Type element)
    : b(builder), bits(bits), order(static_cast<int>(bits)), element(element),
      halfPair(VectorType::get({2}, builder.op().getF16Type())),
      pair(VectorType::get({2}, element)) {}

Value FragmentCodes::pairOf(Value halves, bool upper) {
  Value both = b.make<LLVM::BitcastOp>(halfPair, halves);
  SmallVector<int64_t, 2> lanes(2, upper);
  return b.make<vector::ShuffleOp>(both, both, lanes);
}

Value FragmentCodes::scaleAsFloat(const Group &group, bool upper) {
  Value both = b.make<LLVM::BitcastOp>(halfPair, group.scales);
  Value one = b.make<vector::ExtractOp>(both, static_cast<int64_t>(upper));
  return b.make<arith::ExtFOp>(b.op().getF32Type(), one);
}

FragmentCodes::Place FragmentCodes::find(ArrayRef<Value> words, int64_t step,
                                         int64_t reg) {
  // A lane's codes are numbered along k, then column + 8, k + 8, steps of 16.
  int64_t index = reg % 2 * 2 + reg / 2 * 4 + step * 8;
  int64_t slot = index % order.codesPerWord();
  uint64_t bit = layout::coordinate(
      order.codec()({{"slot", static_cast<uint64_t>(slot)}}), "bit");
  return {words[index / order.codesPerWord()], static_cast<int64_t>(bit)};
}

/// Three numbers to one word, bit by bit: PTX's lop3.b32 of `registers` and
/// `numbers`. ptxas makes one instruction of it, and two of an `and` and an
/// `or` that both have a constant.
Value FragmentCodes::lop3(ArrayRef<Value> registers, ArrayRef<int64_t> numbers,
                          int table) {
  std::string text = "lop3.b32 $0", constraints = "=r";
  for (size_t i = 0; i < registers.size(); ++i) {
    text += ", $" + std::to_string(i + 1);
    constraints += ",r";
  }
  auto hex = [](int64_t number, unsigned width) {
    return ", 0x" + llvm::utohexstr(static_cast<uint64_t>(number),
                                    /*LowerCase=*/true, width);
  };
  for (int64_t number : numbers)
    text += hex(number, 8);
  text += hex(table, 2) + ";";
  auto built = b.create<LLVM::InlineAsmOp>(
      b.op().getI32Type(), registers, text, constraints,
      /*has_side_effects=*/false, /*is_align_stack=*/false,
      LLVM::tailcallkind::TailCallKind::None, LLVM::AsmDialectAttr(),
      ArrayAttr());
  return b.unique(built.getRes());
}

Value FragmentCodes::fp16Difference(ArrayRef<Value> words, int64_t step,
                                    int64_t reg, Value zero) {
  auto [word, at] = find(words, step, reg);
  if (bits == 8) {
    Value number = b.make<NVVM::PermuteOp>(
        b.op().getI32Type(), word, b.i32(0x64646464),
        b.i32(at ? 0x4342 : 0x4140), NVVM::PermuteMode::DEFAULT);
    Value base = b.make<arith::AddFOp>(zero, b.splat(halfPair, 1024));
    return b.make<arith::SubFOp>(b.make<LLVM::BitcastOp>(halfPair, number),
                                 base);
  }
  if (at >= 8)
    word = b.make<arith::ShRUIOp>(word, b.i32(8));
  at %= 8;
  int64_t mask = ((int64_t(1) << bits) - 1) << at;
  // (word & mask) | exponent
  Value number = lop3({word}, {mask << 16 | mask, 0x64006400}, 0xea);
  Value value = b.make<LLVM::BitcastOp>(halfPair, number);
  double unit = std::ldexp(1.0, static_cast<int>(-at));
  Value base = b.make<arith::AddFOp>(zero, b.splat(halfPair, 1024 * unit));
  if (at == 0)
    return b.make<arith::SubFOp>(value, base);
  return b.make<math::FmaOp>(value, b.splat(halfPair, unit),
                             b.make<arith::NegFOp>(base));
}

Value FragmentCodes::asBf16(Value halves) {
  auto floats = VectorType::get({2}, b.op().getF32Type());
  return b.make<arith::TruncFOp>(pair, b.make<arith::ExtFOp>(floats, halves));
}

Value FragmentCodes::bf16Difference(ArrayRef<Value> words, int64_t step,
                                    int64_t reg, Value zero) {
  // A whole number below 256, which bf16 holds exactly.
  if (bits == 8)
    return asBf16(fp16Difference(words, step, reg, zero));
  auto [word, at] = find(words, step, reg);
  if (at)
    word = b.make<arith::ShRUIOp>(word, b.i32(at));
  int64_t mask = (int64_t(1) << bits) - 1;
  // (word & mask) | exponent
  Value number = lop3({word}, {mask << 16 | mask, 0x43004300}, 0xea);
  // 128 + z from fp16: whole numbers too. As 1 * x - y, which sm_80 has for
  // bf16 where it has no subtraction.
  Value base = asBf16(b.make<arith::AddFOp>(zero, b.splat(halfPair, 128)));
  return b.make<math::FmaOp>(b.make<LLVM::BitcastOp>(pair, number),
                             b.splat(pair, 1), b.make<arith::NegFOp>(base));
}

SmallVector<Value, 4> FragmentCodes::fragment(ArrayRef<Value> words,
                                              int64_t step, const Group &group,
                                              bool scaled) {
  SmallVector<Value, 4> registers;
  for (int64_t reg = 0; reg < 4; ++reg) {
    bool upper = reg % 2;
    Value zero = pairOf(group.zeros, upper);
    Value value = element.isF16() ? fp16Difference(words, step, reg, zero)
                                  : bf16Difference(words, step, reg, zero);
    if (scaled) {
      Value scale = pairOf(group.scales, upper);
      if (element.isF16())
        value = b.make<arith::MulFOp>(value, scale);
      else {
        // One rounding: the product of a whole number and an f16 scale is
        // exact in f32.
        auto floats = VectorType::get({2}, b.op().getF32Type());
        value = b.make<arith::TruncFOp>(
            pair, b.make<arith::MulFOp>(b.make<arith::ExtFOp>(floats, value),
                                        b.make<arith::ExtFOp>(floats, scale)));
      }
    }
    registers.push_back(value);
  }
  return registers;
}
