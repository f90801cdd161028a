//===- FragmentsTest.cpp - Fragments against the PTX ISA's formulas -------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The formulas are those of the PTX ISA, in its words: groupID is
// %laneid >> 2, threadID_in_group is %laneid % 4, i counts the elements that a
// thread holds.
//
//===----------------------------------------------------------------------===//

#include "Layout/Fragments.h"
#include <gtest/gtest.h>

using namespace nibble::layout;

namespace {

TEST(Fragments, MmaA) {
  LinearMap map = mmaA();
  EXPECT_TRUE(map.isBijective());
  EXPECT_EQ(map.outputs(), (Axes{{"row", 4}, {"column", 4}}));
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned i = 0; i < 8; ++i) {
      unsigned groupID = lane >> 2, threadInGroup = lane % 4;
      unsigned row = (i < 2) || (4 <= i && i < 6) ? groupID : groupID + 8;
      unsigned column = threadInGroup * 2 + (i & 1) + (i < 4 ? 0 : 8);
      Coordinates element = map({{"register", i}, {"lane", lane}});
      EXPECT_EQ(coordinate(element, "row"), row) << lane << " " << i;
      EXPECT_EQ(coordinate(element, "column"), column) << lane << " " << i;
    }
}

TEST(Fragments, MmaB) {
  LinearMap map = mmaB();
  EXPECT_TRUE(map.isBijective());
  EXPECT_EQ(map.outputs(), (Axes{{"row", 4}, {"column", 3}}));
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned i = 0; i < 4; ++i) {
      unsigned row = lane % 4 * 2 + (i & 1) + (i < 2 ? 0 : 8);
      Coordinates element = map({{"register", i}, {"lane", lane}});
      EXPECT_EQ(coordinate(element, "row"), row) << lane << " " << i;
      EXPECT_EQ(coordinate(element, "column"), lane >> 2) << lane << " " << i;
    }
}

TEST(Fragments, MmaC) {
  LinearMap map = mmaC();
  EXPECT_TRUE(map.isBijective());
  EXPECT_EQ(map.outputs(), (Axes{{"row", 4}, {"column", 3}}));
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned i = 0; i < 4; ++i) {
      unsigned row = i < 2 ? lane >> 2 : (lane >> 2) + 8;
      Coordinates element = map({{"register", i}, {"lane", lane}});
      EXPECT_EQ(coordinate(element, "row"), row) << lane << " " << i;
      EXPECT_EQ(coordinate(element, "column"), lane % 4 * 2 + (i & 1));
    }
}

TEST(Fragments, Ldmatrix) {
  // Register r of a thread comes from matrix r: of row groupID the elements
  // 2 * threadID_in_group and the next; .trans swaps rows and columns.
  for (bool transposed : {false, true}) {
    LinearMap map = ldmatrixX4(transposed);
    EXPECT_TRUE(map.isBijective());
    for (unsigned lane = 0; lane < 32; ++lane)
      for (unsigned r = 0; r < 4; ++r)
        for (unsigned half = 0; half < 2; ++half) {
          Coordinates element =
              map({{"register", 2 * r + half}, {"lane", lane}});
          unsigned row = lane >> 2, column = lane % 4 * 2 + half;
          if (transposed)
            std::swap(row, column);
          EXPECT_EQ(coordinate(element, "matrix"), r);
          EXPECT_EQ(coordinate(element, "row"), row);
          EXPECT_EQ(coordinate(element, "column"), column);
        }
  }
  // Threads 0-7 give the rows of the first matrix, 8-15 of the second, ...
  for (unsigned lane = 0; lane < 32; ++lane) {
    Coordinates row = ldmatrixAddresses()({{"lane", lane}});
    EXPECT_EQ(coordinate(row, "matrix"), lane / 8);
    EXPECT_EQ(coordinate(row, "row"), lane % 8);
  }
}

TEST(Fragments, WgmmaA) {
  // The figure of wgmma.m64k16's operand A: warp w of the group holds rows
  // 16 w to 16 w + 15; in registers 0 to 3 of two elements each
  // (groupID, 0..7), (groupID + 8, 0..7), (groupID, 8..15), (groupID +
  // 8, 8..15).
  LinearMap map = wgmmaA();
  EXPECT_TRUE(map.isBijective());
  EXPECT_EQ(map.outputs(), (Axes{{"row", 6}, {"column", 4}}));
  for (unsigned thread = 0; thread < 128; ++thread)
    for (unsigned i = 0; i < 8; ++i) {
      unsigned warp = thread / 32, lane = thread % 32;
      unsigned rowOf[] = {0, 8, 0, 8}, columnOf[] = {0, 0, 8, 8};
      Coordinates element =
          map({{"register", i}, {"lane", lane}, {"warp", warp}});
      EXPECT_EQ(coordinate(element, "row"),
                16 * warp + lane / 4 + rowOf[i / 2]);
      EXPECT_EQ(coordinate(element, "column"),
                lane % 4 * 2 + columnOf[i / 2] + i % 2);
    }
}

TEST(Fragments, WgmmaAndMmaHoldAAlikeInAWarp) {
  for (unsigned warp = 0; warp < 4; ++warp)
    for (unsigned lane = 0; lane < 32; ++lane)
      for (unsigned i = 0; i < 8; ++i) {
        Coordinates mma = mmaA()({{"register", i}, {"lane", lane}});
        Coordinates wgmma =
            wgmmaA()({{"register", i}, {"lane", lane}, {"warp", warp}});
        EXPECT_EQ(coordinate(wgmma, "row"), coordinate(mma, "row") + 16 * warp);
        EXPECT_EQ(coordinate(wgmma, "column"), coordinate(mma, "column"));
      }
  // As maps: a lane of mma's A finds its elements in the same lane and
  // registers of warp 0.
  std::optional<LinearMap> same = conversion(mmaA(), wgmmaA());
  ASSERT_TRUE(same);
  EXPECT_EQ(same->image("lane", 3), (Coordinates{{"lane", 8}}));
  EXPECT_EQ(same->image("register", 2), (Coordinates{{"register", 4}}));
}

TEST(Fragments, LdmatrixGivesOperands) {
  auto bit = [](const char *input, const char *output, int count) {
    return LinearMap::direct(input, output, count);
  };
  // A's four quarters as the four matrices, top to bottom, then left to right.
  LinearMap quarters = bit("row", "row", 3) * bit("column", "column", 3) *
                       bit("matrix", "row", 1) * bit("matrix", "column", 1);
  EXPECT_EQ(quarters.after(ldmatrixX4(false)), mmaA());
  // B, [k, n] in memory, needs .trans: two fragments, k by k, then n by n.
  LinearMap two = mmaB() * bit("register", "column", 1);
  LinearMap stacked = bit("row", "row", 3) * bit("column", "column", 3) *
                      bit("matrix", "row", 1) * bit("matrix", "column", 1);
  EXPECT_EQ(stacked.after(ldmatrixX4(true)), two);
  EXPECT_NE(stacked.after(ldmatrixX4(false)), two);
}

} // namespace
