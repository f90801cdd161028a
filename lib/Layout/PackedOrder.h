//===- Layout/PackedOrder.h - Weights in the order of fragments -----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The order in which nibble holds the codes of W [K, N] for tensor cores. The
// product is computed transposed, so that W is operand A: A's rows are columns
// n of W, A's columns are rows k.
//
// Units. W is cut into units of 16 columns by 256 / bits rows, 512 bytes each:
// 16 bytes for each of 32 lanes, four words of 32 bits. A warp reads a unit by
// one load of 16 bytes a lane, and has operand A of as many mma.m16n8k16 as the
// unit has steps of 16 rows, without a shuffle. Units lie row by row: the
// packed matrix is i32 [ceil(K / unitRows), ceil(N / 16) * 128], and a unit is
// 128 neighbours in a row of it. What lies beyond K or N has code 0.
//
//     bits                2      4      8
//     rows of a unit      128    64     32
//     codes of a lane     64     32     16
//     codes of a word     16     8      4
//
// Layout: which code a lane has in which word and slot. A lane's codes are
// numbered by an index whose low bits are the slot in a word and whose next two
// are the word. The first eight are the lane's elements of operand A of
// mma.m16n8k16, in their order there; the rest are further steps of 16 rows:
//
//     lane 1 -> k 2       index 1 -> k 1          4 bits: slot 1, 2, 4 are
//     lane 2 -> k 4       index 2 -> n 8                  index 1, 2, 4; word
//     lane 4 -> n 1       index 4 -> k 8                  1, 2 are index 8, 16
//     lane 8 -> n 2       index 8 -> k 16
//     lane 16 -> n 4      index 16 -> k 32 (2, 4 bits), 32 -> k 64 (2 bits)
//
// wgmma's operand A in registers is the same for each warp (Fragments.h), so
// the order serves both.
//
// Codec: at which bit of a word a slot lies. Neighbours along k, which share a
// register of two 16-bit numbers, lie 16 bits apart, so that one mask takes
// both: a word and 000f000f gives two codes, and the next two registers are at
// the masks 00f000f0, 0f000f00, f000f000.
//
//     slot                1      2      4      8
//     2 bits              16     2      4      8
//     4 bits              16     4      8
//     8 bits              8      16            (for byte permutes)
//
// An example: 4 bits, code (k, n) = (45, 27). Unit (45 / 64, 27 / 16) = (0, 1),
// and in it k 45 = 32 + 8 + 4 + 1 and n 11 = 8 + 2 + 1. The lane has bits for
// k 4, n 1 and n 2: 2 + 4 + 8 = 14. The index has bits for k 1, n 8, k 8 and
// k 32: 1 + 2 + 4 + 16 = 23, which is word 2, slot 7. So it is in row 0, word
// 1 * 128 + 14 * 4 + 2 = 186, at bit 16 + 4 + 8 = 28.
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
  /// Words of a lane, and of a unit.
  static constexpr int64_t laneWords = 4, unitWords = 32 * laneWords;

  /// True for the bits that have a packed order: 2, 4 and 8.
  static bool takes(int64_t bits) {
    return bits == 2 || bits == 4 || bits == 8;
  }
  /// `bits` must be one that is taken.
  explicit PackedOrder(int bits);

  int64_t unitRows() const { return 256 / bits; }
  int64_t codesPerWord() const { return 32 / bits; }
  /// Rows of the packed matrix of K rows of codes.
  int64_t packedRows(int64_t K) const {
    return (K + unitRows() - 1) / unitRows();
  }
  /// Words of a row of the packed matrix of N columns of codes.
  static int64_t packedColumns(int64_t N) {
    return (N + unitColumns - 1) / unitColumns * unitWords;
  }

  /// The layout of a unit: (lane, word, slot) to (k, n).
  const LinearMap &unit() const { return unitLayout; }
  /// The codec: slot to bit, the bit of the word where the code begins.
  const LinearMap &codec() const { return slotCodec; }

  /// Where a code lies in the packed matrix.
  struct Place {
    int64_t row;
    int64_t column;
    int bit;
    bool operator==(const Place &) const = default;
  };
  /// The place of code (k, n). It walks through the maps: where many codes are
  /// packed, tables made of them once are faster.
  Place placeOf(int64_t k, int64_t n) const;

private:
  int bits;
  LinearMap unitLayout;
  LinearMap slotCodec;
  LinearMap unitPlaces; // the inverse of unitLayout
};

} // namespace nibble::layout

#endif // NIBBLE_LAYOUT_PACKEDORDER_H
