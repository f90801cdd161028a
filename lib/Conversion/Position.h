//===- Conversion/Position.h - Where an element of a tile is --------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A position along one dimension: a number plus run-time values times strides,
// each value with the range it is known to stay in. Packed words and groups
// divide positions, and the ranges often settle a division when the kernel is
// compiled. With words of 8 codes, in a loop over w < 8 unrolled by 8:
//
//   position        divided by 8   remainder     divided by 128 (group)
//   --------------  -------------  ------------  -----------------------
//   64 k + 8 w + 3  8 k + w        3             k / 2: the rest is < 64
//
// so that the word is loaded once for 8 codes and the scale once for a tile.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_CONVERSION_POSITION_H
#define NIBBLE_CONVERSION_POSITION_H

#include "Conversion/ValueBuilder.h"

namespace nibble {

/// offset + sum of value * stride; all parts are non-negative.
class Position {
public:
  /// The number `offset`.
  Position(int64_t offset = 0) : offset(offset) {}
  /// `value * stride`, with value in [0, extent); extent 0 is "not known".
  static Position of(mlir::Value value, int64_t stride, int64_t extent);

  Position operator+(const Position &other) const;
  bool operator==(const Position &other) const;
  /// This position `factor` times as far.
  Position times(int64_t factor) const;

  /// The number that is added to the run-time part.
  int64_t getOffset() const { return offset; }
  /// This position without its offset.
  Position withoutOffset() const;
  /// The number this position is, if it has no run-time part.
  std::optional<int64_t> asNumber() const;
  /// The largest number the position may be, if that is known.
  std::optional<int64_t> largest() const;
  /// The largest number known to divide the position, 0 for position 0.
  int64_t knownDivisor() const;

  /// This position divided by `divisor`, rounded down.
  Position dividedBy(ValueBuilder &builder, int64_t divisor) const;
  /// What that division leaves.
  Position remainder(ValueBuilder &builder, int64_t divisor) const;
  /// The position as an `index` value.
  mlir::Value materialise(ValueBuilder &builder) const;

private:
  struct Term {
    mlir::Value value;
    int64_t stride;
    int64_t extent;
  };
  /// The position as high + low with low in [0, unit), unit a divisor of
  /// `divisor` and of every stride of high.
  void split(int64_t divisor, Position &high, Position &low,
             int64_t &unit) const;
  mlir::SmallVector<Term, 3> terms;
  int64_t offset = 0;
};

} // namespace nibble

#endif // NIBBLE_CONVERSION_POSITION_H
