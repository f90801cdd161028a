//===- Layout/PackedOrder.h - Weights in the order of fragments -----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The order in which nibble holds the codes of W [K, N] for tensor cores. The
// product is computed transposed, so that W is operand A: A's rows are columns
// n of W, A's columns are rows k.
//
// Units. W is cut into units of 16 columns by some rows. A warp reads a unit by
// one load of 16 bytes a lane, and with 3 bits one of 8 bytes, and has operand
// A of as many mma.m16n8k16 as the unit has steps of 16 rows, without a
// shuffle. Units lie row by row: the packed matrix is i32 [ceil(K / unitRows),
// ceil(N / 16) * unitWords], and a unit is neighbours in a row of it. What lies
// beyond K or N has code 0.
//
//     bits                2      3          4      8
//     rows of a unit      128    128        64     32
//     codes of a lane     64     64         32     16
//     words of a lane     4      4 + 2      4      4
//     words of a unit     128    128 + 64   128    128
//
// Layout: which code is number `index` of which lane. The first eight are the
// lane's elements of operand A of mma.m16n8k16, in their order there; the rest
// are further steps of 16 rows:
//
//     lane 1 -> k 2       index 1 -> k 1
//     lane 2 -> k 4       index 2 -> n 8
//     lane 4 -> n 1       index 4 -> k 8
//     lane 8 -> n 2       index 8 -> k 16
//     lane 16 -> n 4      index 16 -> k 32 (2, 3, 4 bits), 32 -> k 64 (2, 3)
//
// wgmma's operand A in registers is the same for each warp (Fragments.h), so
// the order serves both.
//
// Codec: in which word of the lane a code lies, and at which bit. Words are
// filled one after another. Neighbours along k, which share a register of two
// 16-bit numbers, lie 16 bits apart, so that one mask takes both: a word and
// 000f000f gives two codes, and the next two registers are at the masks
// 00f000f0, 0f000f00, f000f000.
//
//     index               1      2      4      8
//     2 bits              16     2      4      8
//     4 bits              16     4      8
//     8 bits              8      16            (for byte permutes)
//
// A code of 3 bits lies in two planes. The low two bits are in the order of 2
// bits, and their words of all lanes come first in the unit. The third bits of
// a lane's words 0 and 1 share a word of the second plane, those of 2 and 3 the
// other: where the low bits begin at bit p, the third is at p + 2 of an even
// word and at p + 3 of an odd one, counted round the end of the word. With the
// second shifted right by 1, a third bit is right above the low two, and one
// operation of three inputs makes a word of eight whole codes:
//
//     low & 33333333 | third & cccccccc      at bits 0, 4,  8, 12 and 16 above
//     low & cccccccc | third & 33333333      at bits 2, 6, 10, 14 and 16 above
//
// The last code of the second ends in bit 0: it is rotated, not shifted.
//
// An example: 4 bits, code (k, n) = (45, 27). Unit (45 / 64, 27 / 16) = (0, 1),
// and in it k 45 = 32 + 8 + 4 + 1 and n 11 = 8 + 2 + 1. The lane has bits for
// k 4, n 1 and n 2: 2 + 4 + 8 = 14. The index has bits for k 1, n 8, k 8 and
// k 32: 1 + 2 + 4 + 16 = 23, which is 7 in word 2. So it is in row 0, word
// 1 * 128 + 14 * 4 + 2 = 186, at bit 16 + 4 + 8 = 28. With 3 bits the index is
// the same, 7 in word 1: the low bits are in word 1 * 192 + 14 * 4 + 1 = 249,
// at bit 16 + 2 + 4 = 22, the third in word 1 * 192 + 128 + 14 * 2 = 348,
// at 25.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_LAYOUT_PACKEDORDER_H
#define NIBBLE_LAYOUT_PACKEDORDER_H

#include "Layout/LinearMap.h"

namespace nibble::layout {

/// The packed order of codes of some bits.
class PackedOrder {
public:
  /// Columns of a unit.
  static constexpr int64_t unitColumns = 16;

  /// `bits` are those of a Codec.
  explicit PackedOrder(int bits);

  /// Rows of a unit, and its words.
  static int64_t unitRows(int bits);
  static int64_t unitWords(int bits) {
    return unitRows(bits) * unitColumns * bits / 32;
  }
  int64_t unitRows() const { return rows; }
  int64_t unitWords() const { return unitWords(bits); }
  /// Words of a lane, plane after plane, and its codes.
  int64_t laneWords() const { return unitWords() / 32; }
  int64_t laneCodes() const { return unitRows() * unitColumns / 32; }
  /// Rows of the packed matrix of K rows of codes.
  int64_t packedRows(int64_t K) const {
    return (K + unitRows() - 1) / unitRows();
  }
  /// Words of a row of the packed matrix of N columns of codes.
  int64_t packedColumns(int64_t N) const {
    return (N + unitColumns - 1) / unitColumns * unitWords();
  }

  /// The layout of a unit: (lane, index) to (k, n).
  const LinearMap &unit() const { return unitLayout; }

  /// Bits of each code that lie together, in words of their own.
  struct Plane {
    /// Which bits of a code.
    int firstBit, width;
    /// The plane's first word in a unit, and how many a lane has, one after
    /// another: word w of a lane is firstWord + lane * laneWords + w.
    int64_t firstWord, laneWords;

    int64_t codesPerWord() const { return 32 / width; }
    /// The codec: at which bit of word index / codesPerWord() of its lane the
    /// bits of code `index` begin.
    int bitOf(int64_t index) const;
  };
  /// The planes, low bits first. A lane's loads of one are aligned to their
  /// size.
  const std::vector<Plane> &planes() const { return codePlanes; }

  /// Where bits of a code lie in the packed matrix.
  struct Place {
    int64_t row;
    int64_t column;
    int bit;
    bool operator==(const Place &) const = default;
  };
  /// The place of code (k, n) in `plane`. It solves the map anew: where many
  /// codes are packed, a table of unit() is faster.
  Place placeOf(const Plane &plane, int64_t k, int64_t n) const;

private:
  int bits;
  int64_t rows;
  std::vector<Plane> codePlanes;
  LinearMap unitLayout;
};

} // namespace nibble::layout

#endif // NIBBLE_LAYOUT_PACKEDORDER_H
