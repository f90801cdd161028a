//===- PackedOrderTest.cpp - The packed order against its definition ------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Layout/PackedOrder.h"
#include "Layout/Fragments.h"
#include <gtest/gtest.h>
#include <set>

using namespace nibble::layout;

namespace {

using Place = PackedOrder::Place;

/// The place of code (k, n), bit by bit as PackedOrder.h says it.
Place expected(int bits, int64_t k, int64_t n) {
  int64_t rows = 256 / bits;
  auto bit = [](int64_t value, int which) { return value >> which & 1; };
  int64_t lane = bit(k, 1) + 2 * bit(k, 2) + 4 * (n % 8);
  int64_t index = bit(k, 0) + 2 * bit(n, 3) + 4 * (k % rows / 8);
  int64_t slot = index % (32 / bits), word = index / (32 / bits);
  int64_t at = bits == 8 ? 8 * slot : 16 * bit(slot, 0) + bits * (slot / 2);
  return {k / rows, n / 16 * 128 + lane * 4 + word, static_cast<int>(at)};
}

TEST(PackedOrder, PlacesAreTheDefinition) {
  for (int bits : {2, 4, 8}) {
    PackedOrder order(bits);
    EXPECT_EQ(order.unitRows() * 16 * bits, 512 * 8);
    std::set<std::tuple<int64_t, int64_t, int>> places;
    int64_t K = 2 * order.unitRows(), N = 48;
    for (int64_t k = 0; k < K; ++k)
      for (int64_t n = 0; n < N; ++n) {
        Place place = order.placeOf(k, n);
        EXPECT_EQ(place, expected(bits, k, n)) << bits << " " << k << " " << n;
        EXPECT_LT(place.row, order.packedRows(K));
        EXPECT_LT(place.column, order.packedColumns(N));
        EXPECT_EQ(place.bit % bits, 0);
        EXPECT_TRUE(places.insert({place.row, place.column, place.bit}).second);
      }
    // Every bit of the packed matrix belongs to one code.
    EXPECT_EQ(static_cast<int64_t>(places.size()) * bits,
              order.packedRows(K) * order.packedColumns(N) * 32);
  }
}

TEST(PackedOrder, TheEssaysExample) {
  EXPECT_EQ(PackedOrder(4).placeOf(45, 27), (Place{0, 186, 28}));
}

TEST(PackedOrder, Sizes) {
  EXPECT_EQ(PackedOrder(4).packedRows(64), 1);
  EXPECT_EQ(PackedOrder(4).packedRows(65), 2);
  EXPECT_EQ(PackedOrder(2).packedRows(128), 1);
  EXPECT_EQ(PackedOrder(8).packedRows(33), 2);
  EXPECT_EQ(PackedOrder::packedColumns(16), 128);
  EXPECT_EQ(PackedOrder::packedColumns(17), 256);
  EXPECT_FALSE(PackedOrder::takes(3));
  EXPECT_TRUE(PackedOrder::takes(2));
}

TEST(PackedOrder, AWordOfFourBitsIsAFragment) {
  // For each word of a lane, its slots are the lane's elements of operand A,
  // 16 rows of K further on: nothing moves between lanes.
  LinearMap transposed = mmaA().renamed({{"row", "n"}, {"column", "k"}});
  LinearMap steps = LinearMap::direct("step", "k", 2);
  std::optional<LinearMap> moves =
      conversion(PackedOrder(4).unit(), transposed * steps);
  ASSERT_TRUE(moves);
  LinearMap inPlace = LinearMap::direct("lane", "lane", 5) *
                      LinearMap::direct("slot", "register", 3) *
                      LinearMap::direct("word", "step", 2);
  EXPECT_EQ(*moves, inPlace);
  // The same for a warp of wgmma.
  LinearMap wgmma = wgmmaA().renamed({{"row", "n"}, {"column", "k"}});
  moves = conversion(PackedOrder(4).unit(), wgmma * steps);
  ASSERT_TRUE(moves);
  EXPECT_EQ(moves->image("lane", 4), (Coordinates{{"lane", 16}}));
  EXPECT_EQ(moves->image("slot", 1), (Coordinates{{"register", 2}}));
}

} // namespace
