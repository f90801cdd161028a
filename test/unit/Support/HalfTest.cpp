//===- HalfTest.cpp - Arrays like number by number ------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Support/Half.h"
#include <bit>
#include <cmath>
#include <gtest/gtest.h>
#include <random>
#include <vector>

using namespace nibble;

namespace {

/// Not-a-number may have any bits that say so.
void expectSame(uint16_t half, uint16_t expected) {
  if ((expected & 0x7fff) > 0x7c00)
    EXPECT_GT(half & 0x7fff, 0x7c00);
  else
    EXPECT_EQ(half, expected);
}

TEST(Half, EveryPatternThereAndBack) {
  std::vector<uint16_t> halves(1 << 16), back(halves.size());
  for (size_t i = 0; i < halves.size(); ++i)
    halves[i] = static_cast<uint16_t>(i);
  std::vector<float> floats(halves.size());
  halvesToFloats(halves.data(), halves.size(), floats.data());
  EXPECT_TRUE(floatsToHalves(floats.data(), floats.size(), back.data()));
  for (size_t i = 0; i < halves.size(); ++i) {
    float expected = halfToFloat(halves[i]);
    EXPECT_TRUE(std::isnan(expected) ? std::isnan(floats[i])
                                     : std::bit_cast<uint32_t>(floats[i]) ==
                                           std::bit_cast<uint32_t>(expected));
    expectSame(back[i], halves[i]);
  }
}

TEST(Half, AnyFloatIsRoundedAlike) {
  std::mt19937 random(std::random_device{}());
  std::vector<float> floats(100003); // no whole vectors
  for (float &each : floats) {
    // Exponents around those of fp16, and any.
    uint32_t bits = random();
    if (random() % 4)
      bits = (bits & 0x807fffff) | (85 + random() % 65) << 23;
    each = std::bit_cast<float>(bits);
  }
  std::vector<uint16_t> halves(floats.size());
  EXPECT_FALSE(floatsToHalves(floats.data(), floats.size(), halves.data()));
  for (size_t i = 0; i < floats.size(); ++i)
    expectSame(halves[i], floatToHalf(floats[i]));
}

TEST(Half, OneNumberThatIsLostIsSeen) {
  for (size_t count : {1, 7, 8, 33, 1000})
    for (size_t place : {size_t(0), count / 2, count - 1}) {
      std::vector<float> floats(count, 0.5f);
      std::vector<uint16_t> halves(count);
      floats[place] = NAN;
      EXPECT_TRUE(floatsToHalves(floats.data(), count, halves.data()));
      for (float lost : {0.1f, 65536.0f, -1e-9f, 2049.0f}) {
        floats[place] = lost;
        EXPECT_FALSE(floatsToHalves(floats.data(), count, halves.data()));
      }
    }
  EXPECT_TRUE(floatsToHalves(nullptr, 0, nullptr));
}

} // namespace
