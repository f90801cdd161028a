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

/// The places of code (k, n), low bits first, bit by bit as PackedOrder.h says.
std::vector<Place> expected(int bits, int64_t k, int64_t n) {
  int64_t rows = bits == 8 ? 32 : bits == 4 ? 64 : 128;
  auto bit = [](int64_t value, int which) { return value >> which & 1; };
  int64_t lane = bit(k, 1) + 2 * bit(k, 2) + 4 * (n % 8);
  int64_t index = bit(k, 0) + 2 * bit(n, 3) + 4 * (k % rows / 8);
  int64_t width = bits == 3 ? 2 : bits;
  int64_t slot = index % (32 / width), word = index / (32 / width);
  int64_t at = bits == 8 ? 8 * slot : 16 * bit(slot, 0) + width * (slot / 2);
  int64_t unit = n / 16 * (bits == 3 ? 192 : 128);
  std::vector<Place> places = {
      {k / rows, unit + lane * 4 + word, static_cast<int>(at)}};
  if (bits == 3)
    places.push_back({k / rows, unit + 128 + lane * 2 + word / 2,
                      static_cast<int>((at + 2 + word % 2) % 32)});
  return places;
}

TEST(PackedOrder, PlacesAreTheDefinition) {
  for (int bits : {2, 3, 4, 8}) {
    PackedOrder order(bits);
    EXPECT_EQ(order.unitRows() * 16 * bits, order.unitWords() * 32);
    std::set<std::tuple<int64_t, int64_t, int>> bitsTaken;
    int64_t K = 2 * order.unitRows(), N = 48;
    for (int64_t k = 0; k < K; ++k)
      for (int64_t n = 0; n < N; ++n) {
        std::vector<Place> places;
        int width = 0;
        for (const PackedOrder::Plane &plane : order.planes()) {
          Place place = order.placeOf(plane, k, n);
          EXPECT_LT(place.row, order.packedRows(K));
          EXPECT_LT(place.column, order.packedColumns(N));
          EXPECT_EQ(plane.firstBit, width);
          width += plane.width;
          for (int bit = place.bit; bit < place.bit + plane.width; ++bit)
            EXPECT_TRUE(bit < 32 &&
                        bitsTaken.insert({place.row, place.column, bit}).second)
                << bits << " " << k << " " << n;
          places.push_back(place);
        }
        EXPECT_EQ(places, expected(bits, k, n)) << bits << " " << k << " " << n;
        EXPECT_EQ(width, bits);
      }
    // Every bit of the packed matrix belongs to one code.
    EXPECT_EQ(static_cast<int64_t>(bitsTaken.size()),
              order.packedRows(K) * order.packedColumns(N) * 32);
  }
}

TEST(PackedOrder, TheEssaysExample) {
  PackedOrder four(4), three(3);
  EXPECT_EQ(four.placeOf(four.planes()[0], 45, 27), (Place{0, 186, 28}));
  EXPECT_EQ(three.placeOf(three.planes()[0], 45, 27), (Place{0, 249, 22}));
  EXPECT_EQ(three.placeOf(three.planes()[1], 45, 27), (Place{0, 348, 25}));
}

TEST(PackedOrder, Sizes) {
  EXPECT_EQ(PackedOrder(4).packedRows(64), 1);
  EXPECT_EQ(PackedOrder(4).packedRows(65), 2);
  EXPECT_EQ(PackedOrder(2).packedRows(128), 1);
  EXPECT_EQ(PackedOrder(3).packedRows(129), 2);
  EXPECT_EQ(PackedOrder(8).packedRows(33), 2);
  EXPECT_EQ(PackedOrder(4).packedColumns(16), 128);
  EXPECT_EQ(PackedOrder(4).packedColumns(17), 256);
  EXPECT_EQ(PackedOrder(3).packedColumns(17), 384);
  EXPECT_EQ(PackedOrder(3).laneWords(), 6);
}

/// A lane's 16 bytes, and its 8, are aligned in units of any number.
TEST(PackedOrder, LoadsOfALaneAreAligned) {
  for (int bits : {2, 3, 4, 8}) {
    PackedOrder order(bits);
    for (const PackedOrder::Plane &plane : order.planes()) {
      EXPECT_EQ(plane.laneWords, plane.firstBit ? 2 : 4);
      EXPECT_EQ(plane.firstWord % plane.laneWords, 0);
      EXPECT_EQ(order.unitWords() % plane.laneWords, 0);
    }
  }
}

/// The low bits of codes of 3 bits are where codes of 2 bits are.
TEST(PackedOrder, LowBitsAreInTheOrderOfTwoBits) {
  PackedOrder two(2), three(3);
  EXPECT_EQ(two.unit(), three.unit());
  const PackedOrder::Plane &a = two.planes()[0], &b = three.planes()[0];
  EXPECT_EQ(a.firstWord, b.firstWord);
  EXPECT_EQ(a.laneWords, b.laneWords);
  for (int64_t index = 0; index < three.laneCodes(); ++index)
    EXPECT_EQ(a.bitOf(index), b.bitOf(index));
}

/// A word of low bits and one of third bits, that of odd words shifted right by
/// 1, have eight codes as one word has those of 4 bits, and eight more at 2.
TEST(PackedOrder, ThirdBitsComeRightAboveTheLowTwo) {
  PackedOrder order(3);
  const auto &planes = order.planes();
  for (int64_t index = 0; index < order.laneCodes(); ++index) {
    int low = planes[0].bitOf(index), third = planes[1].bitOf(index);
    int64_t oddWord = index / planes[0].codesPerWord() % 2;
    EXPECT_EQ(third - oddWord, (low + 2) % 32);
    EXPECT_EQ(index / planes[1].codesPerWord(),
              index / planes[0].codesPerWord() / 2);
    uint32_t lows = low % 4 == 0 ? 0x33333333 : 0xcccccccc;
    EXPECT_EQ(lows >> low & 3, 3u);
    EXPECT_EQ(~lows >> (low + 2) % 32 & 1, 1u);
  }
}

TEST(PackedOrder, EightCodesOfALaneAreAFragment) {
  // Eight of a lane's codes are the lane's elements of operand A, the next 16
  // rows of K further on: nothing moves between lanes.
  LinearMap transposed = mmaA().renamed({{"row", "n"}, {"column", "k"}});
  LinearMap steps = LinearMap::direct("step", "k", 2);
  std::optional<LinearMap> moves =
      conversion(PackedOrder(4).unit(), transposed * steps);
  ASSERT_TRUE(moves);
  LinearMap inPlace = LinearMap::direct("lane", "lane", 5) *
                      LinearMap::direct("index", "register", 3) *
                      LinearMap::direct("index", "step", 2);
  EXPECT_EQ(*moves, inPlace);
  // The same for a warp of wgmma.
  LinearMap wgmma = wgmmaA().renamed({{"row", "n"}, {"column", "k"}});
  moves = conversion(PackedOrder(4).unit(), wgmma * steps);
  ASSERT_TRUE(moves);
  EXPECT_EQ(moves->image("lane", 4), (Coordinates{{"lane", 16}}));
  EXPECT_EQ(moves->image("index", 1), (Coordinates{{"register", 2}}));
}

} // namespace
