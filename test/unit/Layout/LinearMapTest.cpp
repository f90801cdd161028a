//===- LinearMapTest.cpp - The algebra of linear maps over bits -----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Layout/LinearMap.h"
#include "Layout/Fragments.h"
#include <gtest/gtest.h>
#include <random>

using namespace nibble::layout;

namespace {

/// A random map from (a: 3 bits, b: 2 bits) to (x: `xBits`, y: 2 bits).
LinearMap randomMap(std::mt19937 &random, int xBits) {
  LinearMap::Images images;
  for (auto [name, bits] : {std::pair("a", 3), std::pair("b", 2)})
    for (int bit = 0; bit < bits; ++bit)
      images[name].push_back(
          {{"x", random() % (1u << xBits)}, {"y", random() % 4}});
  return LinearMap(images, {{"x", xBits}, {"y", 2}});
}

/// Calls `visit` with every place of (a: 3 bits, b: 2 bits).
template <typename F> void forEachPlace(F visit) {
  for (uint64_t a = 0; a < 8; ++a)
    for (uint64_t b = 0; b < 4; ++b)
      visit(Coordinates{{"a", a}, {"b", b}});
}

Coordinates withoutZeros(Coordinates coordinates) {
  std::erase_if(coordinates, [](const auto &each) { return each.second == 0; });
  return coordinates;
}

TEST(LinearMap, TheEssaysExample) {
  EXPECT_EQ(mmaA()({{"register", 5}, {"lane", 13}}),
            (Coordinates{{"row", 3}, {"column", 11}}));
  EXPECT_EQ(mmaA().str(), "lane 1 -> column 2\n"
                          "lane 2 -> column 4\n"
                          "lane 4 -> row 1\n"
                          "lane 8 -> row 2\n"
                          "lane 16 -> row 4\n"
                          "register 1 -> column 1\n"
                          "register 2 -> row 8\n"
                          "register 4 -> column 8\n");
}

TEST(LinearMap, XorOfPlacesGoesToXorOfElements) {
  std::mt19937 random(std::random_device{}());
  for (int round = 0; round < 50; ++round) {
    LinearMap map = randomMap(random, 3);
    forEachPlace([&](const Coordinates &p) {
      Coordinates q = {{"a", random() % 8}, {"b", random() % 4}};
      Coordinates sum = {{"a", p.at("a") ^ q.at("a")},
                         {"b", p.at("b") ^ q.at("b")}};
      Coordinates left = map(p), right = map(q);
      Coordinates expected = {{"x", left["x"] ^ right["x"]},
                              {"y", left["y"] ^ right["y"]}};
      EXPECT_EQ(map(sum), withoutZeros(expected));
    });
  }
}

TEST(LinearMap, TestsAgreeWithCounting) {
  std::mt19937 random(std::random_device{}());
  int injective = 0, surjective = 0;
  for (int round = 0; round < 400; ++round) {
    int xBits = static_cast<int>(random() % 4) + 1;
    LinearMap map = randomMap(random, xBits);
    std::map<Coordinates, int> places;
    forEachPlace([&](const Coordinates &p) { ++places[map(p)]; });
    EXPECT_EQ(places.size(), size_t(1) << map.rank());
    EXPECT_EQ(map.isInjective(), places.size() == 32) << map.str();
    EXPECT_EQ(map.isSurjective(), places.size() == size_t(4) << xBits);
    EXPECT_EQ(map.isBijective(), map.isInjective() && xBits == 3);
    injective += map.isInjective();
    surjective += map.isSurjective();
  }
  EXPECT_GT(injective, 0);
  EXPECT_GT(surjective, 0);
}

TEST(LinearMap, Inverse) {
  std::mt19937 random(std::random_device{}());
  int some = 0;
  for (int round = 0; round < 400; ++round) {
    int xBits = static_cast<int>(random() % 4) + 1;
    LinearMap map = randomMap(random, xBits);
    std::optional<LinearMap> inverse = map.inverse();
    ASSERT_EQ(inverse.has_value(), map.isSurjective());
    if (!inverse)
      continue;
    ++some;
    for (uint64_t x = 0; x < uint64_t(1) << xBits; ++x)
      for (uint64_t y = 0; y < 4; ++y) {
        Coordinates element = {{"x", x}, {"y", y}};
        EXPECT_EQ(map((*inverse)(element)), withoutZeros(element));
      }
    EXPECT_EQ(inverse->inverse() == map, map.isBijective());
  }
  EXPECT_GT(some, 0);
}

TEST(LinearMap, InverseLeavesBitsThatAreNotNeededZero) {
  // Warps share an operand: the bit of the warp goes to nothing.
  LinearMap shared =
      mmaB() * LinearMap({{"warp", {Coordinates(), Coordinates()}}}, {});
  EXPECT_EQ(shared.inputs().at("warp"), 2);
  EXPECT_FALSE(shared.isInjective());
  EXPECT_TRUE(shared.isSurjective());
  EXPECT_EQ(shared({{"warp", 3}}), Coordinates());
  std::optional<LinearMap> inverse = shared.inverse();
  ASSERT_TRUE(inverse);
  for (const auto &[axis, bits] : inverse->inputs())
    for (int bit = 0; bit < bits; ++bit)
      EXPECT_FALSE(inverse->image(axis, bit).contains("warp"));
}

TEST(LinearMap, Conversion) {
  std::mt19937 random(std::random_device{}());
  int some = 0;
  for (int round = 0; round < 400; ++round) {
    LinearMap from = randomMap(random, 3);
    LinearMap to = randomMap(random, 3).renamed({{"a", "c"}, {"b", "d"}});
    std::map<Coordinates, int> held;
    for (uint64_t c = 0; c < 8; ++c)
      for (uint64_t d = 0; d < 4; ++d)
        ++held[to({{"c", c}, {"d", d}})];
    bool all = true;
    forEachPlace([&](const Coordinates &p) { all &= held.contains(from(p)); });
    std::optional<LinearMap> converted = conversion(from, to);
    ASSERT_EQ(converted.has_value(), all);
    if (!converted)
      continue;
    ++some;
    forEachPlace(
        [&](const Coordinates &p) { EXPECT_EQ(to((*converted)(p)), from(p)); });
    EXPECT_EQ(to.after(*converted), from);
  }
  EXPECT_GT(some, 0);
  // A tile that is larger than the other's.
  EXPECT_FALSE(conversion(wgmmaA(), mmaA()));
  EXPECT_FALSE(conversion(LinearMap::direct("lane", "x", 1), mmaA()));
}

TEST(LinearMap, Composition) {
  std::mt19937 random(std::random_device{}());
  for (int round = 0; round < 100; ++round) {
    LinearMap first = randomMap(random, 3);
    LinearMap second = randomMap(random, 4)
                           .renamed({{"x", "u"}, {"y", "v"}})
                           .renamed({{"a", "x"}, {"b", "y"}});
    std::optional<LinearMap> both = second.after(first);
    ASSERT_TRUE(both);
    EXPECT_EQ(both->outputs(), second.outputs());
    forEachPlace(
        [&](const Coordinates &p) { EXPECT_EQ((*both)(p), second(first(p))); });
  }
  LinearMap narrow = LinearMap::direct("x", "u", 2);
  EXPECT_FALSE(narrow.after(LinearMap::direct("a", "x", 3)));
  EXPECT_FALSE(narrow.after(LinearMap::direct("a", "y", 1)));
  EXPECT_EQ(narrow.after(LinearMap::direct("a", "x", 1))->outputs(),
            (Axes{{"u", 2}}));
}

TEST(LinearMap, Product) {
  std::mt19937 random(std::random_device{}());
  for (int round = 0; round < 50; ++round) {
    LinearMap low = randomMap(random, 3), high = randomMap(random, 2);
    LinearMap product = low * high;
    EXPECT_EQ(product.inputs(), (Axes{{"a", 6}, {"b", 4}}));
    EXPECT_EQ(product.outputs(), (Axes{{"x", 5}, {"y", 4}}));
    EXPECT_EQ(product.rank(), low.rank() + high.rank());
    forEachPlace([&](const Coordinates &p) {
      Coordinates q = {{"a", random() % 8}, {"b", random() % 4}};
      Coordinates below = low(p), above = high(q);
      Coordinates expected = {{"x", below["x"] | above["x"] << 3},
                              {"y", below["y"] | above["y"] << 2}};
      EXPECT_EQ(product({{"a", p.at("a") | q.at("a") << 3},
                         {"b", p.at("b") | q.at("b") << 2}}),
                withoutZeros(expected));
    });
  }
  EXPECT_EQ(LinearMap() * mmaA(), mmaA());
  EXPECT_EQ(mmaA() * LinearMap(), mmaA());
  EXPECT_NE(mmaA(), mmaC());
  // A name without bits is no name.
  EXPECT_EQ(LinearMap::direct("a", "x", 0), LinearMap());
}

TEST(LinearMap, SplitAndFields) {
  LinearMap map = mmaA().split("register", 1, "half", "register");
  EXPECT_EQ(map({{"half", 1}, {"register", 2}, {"lane", 13}}),
            (Coordinates{{"row", 3}, {"column", 11}}));
  using Fields = std::vector<BitField>;
  EXPECT_EQ(mmaC().fields(), (Fields{{"lane", 0, "column", 1, 2},
                                     {"lane", 2, "row", 0, 3},
                                     {"register", 0, "column", 0, 1},
                                     {"register", 1, "row", 3, 1}}));
  // Two bits that meet, and one that goes to two, are no sum of fields.
  EXPECT_FALSE(
      LinearMap({{"a", {{{"x", 1}}, {{"x", 1}}}}}, {{"x", 1}}).fields());
  EXPECT_FALSE(LinearMap({{"a", {{{"x", 3}}}}}, {{"x", 2}}).fields());
}

} // namespace
