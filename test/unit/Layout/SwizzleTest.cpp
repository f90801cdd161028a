//===- SwizzleTest.cpp - Bank conflicts, counted --------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Layout/Swizzle.h"
#include <algorithm>
#include <gtest/gtest.h>

using namespace nibble::layout;

namespace {

/// The offset by Swizzle.h's formula.
uint64_t offsetOf(int byteBits, Swizzle swizzle, uint64_t row,
                  uint64_t column) {
  uint64_t chunk = column / 16;
  chunk ^= row >> swizzle.shift & ((1u << swizzle.bits) - 1);
  return (row << byteBits) + 16 * chunk + column % 16;
}

/// Eight rows one below the other, as ldmatrix reads a matrix.
LinearMap downRows() { return LinearMap::direct("lane", "row", 3); }

/// Eight chunks of a row, as a warp writes it.
LinearMap alongARow() {
  return LinearMap(
      {{"lane", {{{"column", 16}}, {{"column", 32}}, {{"column", 64}}}}},
      {{"column", 7}});
}

TEST(Swizzle, MemoryIsTheFormula) {
  for (Swizzle swizzle : {Swizzle{0, 0}, {3, 0}, {2, 1}, {1, 2}}) {
    LinearMap memory = swizzledRows(4, 7, swizzle);
    EXPECT_TRUE(memory.isBijective());
    for (uint64_t row = 0; row < 16; ++row)
      for (uint64_t column = 0; column < 128; ++column) {
        Coordinates element =
            memory({{"offset", offsetOf(7, swizzle, row, column)}});
        EXPECT_EQ(element["row"], row);
        EXPECT_EQ(element["column"], column);
      }
  }
}

TEST(Swizzle, ConflictsAgreeWithCounting) {
  for (int byteBits : {4, 5, 6, 7, 8})
    for (int bits = 0; bits <= std::min(byteBits - 4, 3); ++bits)
      for (int shift = 0; shift <= 4 - bits; ++shift)
        for (int stride : {1, 2}) {
          std::vector<Coordinates> rows;
          for (int bit = 0; bit < 3; ++bit)
            rows.push_back({{"row", static_cast<uint64_t>(stride) << bit}});
          LinearMap access({{"lane", rows}}, {{"row", 4}});
          std::map<uint64_t, int> uses;
          int most = 0;
          for (uint64_t lane = 0; lane < 8; ++lane)
            most = std::max(
                most,
                ++uses[offsetOf(byteBits, {bits, shift}, lane * stride, 0) /
                       16 % 8]);
          EXPECT_EQ(
              bankConflicts(swizzledRows(4, byteBits, {bits, shift}), access),
              most)
              << byteBits << " " << bits << " " << shift << " " << stride;
        }
}

TEST(Swizzle, IsFound) {
  // What the header says of rows of 16 to 256 bytes.
  const std::pair<int, Swizzle> expected[] = {
      {4, {0, 0}}, {5, {1, 2}}, {6, {2, 1}}, {7, {3, 0}}, {8, {3, 0}}};
  for (auto [byteBits, swizzle] : expected)
    EXPECT_EQ(findSwizzle(4, byteBits, {downRows()}), swizzle) << byteBits;
  EXPECT_EQ(findSwizzle(4, 7, {downRows(), alongARow()}), (Swizzle{3, 0}));
  // Every second row needs the next bits of the row.
  LinearMap sparse({{"lane", {{{"row", 2}}, {{"row", 4}}, {{"row", 8}}}}},
                   {{"row", 4}});
  EXPECT_EQ(findSwizzle(4, 7, {sparse}), (Swizzle{3, 1}));
  // Both at once would need more bits of the row than there are banks.
  EXPECT_EQ(findSwizzle(4, 7, {downRows(), sparse}), std::nullopt);
  // An access beyond the tile.
  EXPECT_EQ(findSwizzle(2, 7, {downRows()}), std::nullopt);
  EXPECT_EQ(bankConflicts(swizzledRows(2, 7, {}), downRows()), std::nullopt);
}

TEST(Swizzle, EqualPlacesAreReadOnce) {
  LinearMap same({{"lane", {{{"row", 1}}, {}, {}}}}, {{"row", 1}});
  EXPECT_EQ(bankConflicts(swizzledRows(3, 7, {}), same), 2);
  EXPECT_EQ(bankConflicts(swizzledRows(3, 6, {}), same), 1);
}

} // namespace
