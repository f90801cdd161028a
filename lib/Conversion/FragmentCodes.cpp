//===- Conversion/FragmentCodes.cpp - Packed words to fragments -----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See FragmentCodes.h.
//
//===----------------------------------------------------------------------===//

#include "Conversion/FragmentCodes.h"
#include "Conversion/InlinePtx.h"
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
  auto wordOf = [&](const layout::PackedOrder::Plane &plane) {
    return index / plane.codesPerWord();
  };
  const auto &planes = order.planes();
  Value word = words[wordOf(planes[0])];
  int64_t bit = planes[0].bitOf(index);
  if (planes.size() == 1)
    return {word, bit};
  // Third bits are brought right above the low two, and what was at bit 2 to
  // bit 0: eight codes 4 bits apart, of which others are asked for later.
  bool second = bit % 4 != 0;
  int64_t above = (bit + 2) % 32, low = second ? 0xcccccccc : 0x33333333;
  Value third =
      b.make<arith::ShRUIOp>(words[planes[0].laneWords + wordOf(planes[1])],
                             b.i32(planes[1].bitOf(index) - above));
  // (word & low) | (third & ~low)
  Value whole = lop3({word, third}, {low}, 0xe4);
  return second ? Place{rotate(whole, 2), bit - 2} : Place{whole, bit};
}

Value FragmentCodes::rotate(Value word, int64_t amount) {
  return amount ? b.make<LLVM::FshrOp>(word, word, b.i32(amount)) : word;
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
  auto built = inlinePtx(b, b.op().getI32Type(), registers, text, constraints,
                         /*stays=*/false);
  return b.unique(built.getRes());
}

Value FragmentCodes::asBf16(Value halves) {
  auto floats = VectorType::get({2}, b.op().getF32Type());
  return b.make<arith::TruncFOp>(pair, b.make<arith::ExtFOp>(floats, halves));
}

Value FragmentCodes::byteDifference(Place place, Value zero) {
  Value number = b.make<NVVM::PermuteOp>(
      b.op().getI32Type(), place.word, b.i32(0x64646464),
      b.i32(place.bit ? 0x4342 : 0x4140), NVVM::PermuteMode::DEFAULT);
  Value base = b.make<arith::AddFOp>(zero, b.splat(halfPair, 1024));
  Value halves =
      b.make<arith::SubFOp>(b.make<LLVM::BitcastOp>(halfPair, number), base);
  // A whole number below 256, which bf16 holds exactly.
  return element.isF16() ? halves : asBf16(halves);
}

Value FragmentCodes::difference(Place place, Value zero) {
  if (bits == 8)
    return byteDifference(place, zero);
  // Codes that end within the mantissa are taken as they lie.
  int64_t mantissa = element.isF16() ? 10 : 7, apart = bits == 3 ? 4 : bits;
  int64_t reach = std::min<int64_t>(8, ((mantissa - bits) / apart + 1) * apart);
  int64_t at = place.bit % reach;
  Value word = rotate(place.word, place.bit - at);
  int64_t mask = ((int64_t(1) << bits) - 1) << at;
  int64_t exponent = element.isF16() ? 0x6400 : 0x4300;
  // (word & mask) | exponent, in both halves
  Value number =
      lop3({word}, {mask << 16 | mask, exponent << 16 | exponent}, 0xea);
  Value value = b.make<LLVM::BitcastOp>(pair, number);
  double unit = std::ldexp(1.0, static_cast<int>(-at)),
         power = std::ldexp(unit, static_cast<int>(mantissa));
  if (element.isBF16()) {
    // Whole numbers below 256, too. sm_80 has no sums in bf16.
    Value base = b.make<math::FmaOp>(asBf16(zero), b.splat(pair, -1),
                                     b.splat(pair, -power));
    return b.make<math::FmaOp>(value, b.splat(pair, unit), base);
  }
  Value base = b.make<arith::AddFOp>(zero, b.splat(pair, power));
  if (at == 0)
    return b.make<arith::SubFOp>(value, base);
  return b.make<math::FmaOp>(value, b.splat(pair, unit),
                             b.make<arith::NegFOp>(base));
}

Value FragmentCodes::timesScale(Value value, Value scale) {
  auto floats = VectorType::get({2}, b.op().getF32Type());
  Value exact = b.make<arith::ExtFOp>(floats, scale);
  if (bits == 8)
    return b.make<arith::TruncFOp>(
        pair,
        b.make<arith::MulFOp>(b.make<arith::ExtFOp>(floats, value), exact));
  // A scale is two numbers of bf16, the second of at most three bits: its
  // product with a difference of four is exact.
  Value high = b.make<arith::TruncFOp>(pair, exact);
  Value low = b.make<arith::TruncFOp>(
      pair, b.make<arith::SubFOp>(exact, b.make<arith::ExtFOp>(floats, high)));
  // Of an infinite scale nothing is left.
  Value isNumber = b.make<arith::CmpFOp>(arith::CmpFPredicate::ORD, low, low);
  low = b.make<arith::SelectOp>(isNumber, low, b.splat(pair, 0));
  return b.make<math::FmaOp>(
      value, high, b.make<math::FmaOp>(value, low, b.splat(pair, -0.0)));
}

SmallVector<Value, 4> FragmentCodes::fragment(ArrayRef<Value> words,
                                              int64_t step, const Group &group,
                                              bool scaled) {
  SmallVector<Value, 4> registers;
  for (int64_t reg = 0; reg < 4; ++reg) {
    bool upper = reg % 2;
    Value zero = pairOf(group.zeros, upper);
    Value value = difference(find(words, step, reg), zero);
    if (scaled) {
      Value scale = pairOf(group.scales, upper);
      value = element.isF16() ? b.make<arith::MulFOp>(value, scale)
                              : timesScale(value, scale);
    }
    registers.push_back(value);
  }
  return registers;
}

SmallVector<Value> FragmentCodes::addScaled(ValueRange sums, ValueRange partial,
                                            const Group &group) {
  SmallVector<Value> next;
  for (auto [i, sum, part] : llvm::enumerate(sums, partial))
    next.push_back(
        b.make<math::FmaOp>(part, scaleAsFloat(group, i % 4 >= 2), sum));
  return next;
}
