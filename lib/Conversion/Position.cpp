//===- Conversion/Position.cpp - Where an element of a tile is ------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arithmetic on positions; Position.h explains what it is for.
//
//===----------------------------------------------------------------------===//

#include "Conversion/Position.h"
#include <limits>
#include <numeric>

using namespace mlir;
using namespace nibble;

Position Position::of(Value value, int64_t stride, int64_t extent) {
  Position result;
  if (extent != 1)
    result.terms.push_back({value, stride, extent});
  return result;
}

Position Position::operator+(const Position &other) const {
  Position result = *this;
  llvm::append_range(result.terms, other.terms);
  result.offset += other.offset;
  return result;
}

Position Position::times(int64_t factor) const {
  Position result = *this;
  result.offset *= factor;
  for (Term &term : result.terms)
    term.stride *= factor;
  return result;
}

bool Position::operator==(const Position &other) const {
  return offset == other.offset &&
         llvm::equal(terms, other.terms, [](const Term &a, const Term &b) {
           return a.value == b.value && a.stride == b.stride;
         });
}

Position Position::withoutOffset() const {
  Position result = *this;
  result.offset = 0;
  return result;
}

std::optional<int64_t> Position::asNumber() const {
  return terms.empty() ? std::optional(offset) : std::nullopt;
}

std::optional<int64_t> Position::largest() const {
  int64_t sum = offset;
  for (const Term &term : terms) {
    if (term.extent == 0)
      return std::nullopt;
    sum += term.stride * (term.extent - 1);
  }
  return sum;
}

int64_t Position::knownDivisor() const {
  int64_t common = offset;
  for (const Term &term : terms)
    common = std::gcd(common, term.stride);
  return common;
}

void Position::split(int64_t divisor, Position &high, Position &low,
                     int64_t &unit) const {
  // Terms with a stride from some border on are high. A high border leaves few
  // run-time values in the division; the first that leaves less than one unit
  // below it is taken. Border 0 puts every term in high, so one always is.
  SmallVector<int64_t> borders = {0};
  for (const Term &term : terms)
    borders.push_back(term.stride);
  borders.push_back(std::numeric_limits<int64_t>::max());
  llvm::sort(borders, std::greater<>());
  for (int64_t border : borders) {
    int64_t largest = 0;
    bool bounded = true;
    unit = divisor;
    for (const Term &term : terms) {
      if (term.stride >= border) {
        unit = std::gcd(unit, term.stride);
      } else {
        bounded &= term.extent != 0;
        largest += term.stride * (term.extent - 1);
      }
    }
    if (!bounded || largest + offset % unit >= unit)
      continue;
    high = low = Position();
    for (const Term &term : terms)
      (term.stride >= border ? high : low).terms.push_back(term);
    high.offset = offset - offset % unit;
    low.offset = offset % unit;
    return;
  }
}

Position Position::dividedBy(ValueBuilder &builder, int64_t divisor) const {
  if (divisor == 1)
    return *this;
  Position high, low;
  int64_t unit;
  split(divisor, high, low, unit);
  // Terms that are whole multiples of the divisor leave the division.
  Position whole, rest;
  for (const Term &term : high.terms)
    if (term.stride % divisor == 0)
      whole.terms.push_back({term.value, term.stride / divisor, term.extent});
    else
      rest.terms.push_back({term.value, term.stride / unit, term.extent});
  if (rest.terms.empty())
    return whole + Position(high.offset / divisor);
  // floor((rest + q divisor) / divisor) = floor(rest / divisor) + q
  rest.offset = high.offset % divisor / unit;
  int64_t parts = divisor / unit;
  Value quotient = builder.make<arith::DivUIOp>(rest.materialise(builder),
                                                builder.index(parts));
  std::optional<int64_t> largest = rest.largest();
  return whole + Position(high.offset / divisor) +
         Position::of(quotient, 1, largest ? *largest / parts + 1 : 0);
}

Position Position::remainder(ValueBuilder &builder, int64_t divisor) const {
  if (divisor == 1)
    return Position();
  Position high, low;
  int64_t unit;
  split(divisor, high, low, unit);
  Position rest;
  for (const Term &term : high.terms)
    if (term.stride % divisor != 0)
      rest.terms.push_back({term.value, term.stride / unit, term.extent});
  if (rest.terms.empty())
    return low + Position(high.offset % divisor);
  rest.offset = high.offset % divisor / unit;
  Value left = builder.make<arith::RemUIOp>(rest.materialise(builder),
                                            builder.index(divisor / unit));
  return low + Position::of(left, unit, divisor / unit);
}

Value Position::materialise(ValueBuilder &builder) const {
  Value sum;
  for (const Term &term : terms) {
    Value product =
        builder.make<arith::MulIOp>(term.value, builder.index(term.stride));
    sum = sum ? builder.make<arith::AddIOp>(sum, product) : product;
  }
  if (!sum)
    return builder.index(offset);
  return offset ? builder.make<arith::AddIOp>(sum, builder.index(offset)) : sum;
}
