//===- ExtentTest.cpp - Expressions over named parameters -----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Nibble/Extent.h"
#include <gtest/gtest.h>

using nibble::ir::Extent;

namespace {

Extent n(llvm::StringRef name) { return Extent::name(name); }
Extent c(int64_t value) { return Extent::constant(value); }

TEST(Extent, EqualExpressionsHaveOneNormalForm) {
  // K / (32 / B), K * B / 32 and (K / 32) * B
  Extent a = *n("K").dividedBy(*c(32).dividedBy(n("B")));
  Extent b = *n("K").times(n("B"))->dividedBy(c(32));
  Extent d = *n("K").dividedBy(c(32))->times(n("B"));
  EXPECT_EQ(a, b);
  EXPECT_EQ(a, d);
  EXPECT_EQ(a.str(), b.str());
}

TEST(Extent, SumsCancel) {
  Extent sum = *n("A").plus(n("B"));
  EXPECT_EQ(*sum.minus(n("B")), n("A"));
  EXPECT_EQ(sum.minus(sum)->asInteger(), 0);
}

TEST(Extent, DivisorMustBeOneProduct) {
  EXPECT_FALSE(n("A").dividedBy(c(0)));
  EXPECT_FALSE(n("A").dividedBy(*n("A").plus(c(1))));
  EXPECT_EQ(n("A").dividedBy(n("A"))->asInteger(), 1);
}

TEST(Extent, CoefficientsThatLeave64BitsAreRefused) {
  Extent large = c(INT64_MAX);
  EXPECT_FALSE(large.plus(c(1)));
  EXPECT_FALSE(large.times(c(2)));
  EXPECT_FALSE(c(INT64_MIN).minus(c(1)));
  EXPECT_FALSE(c(INT64_MIN).times(c(-1)));
}

TEST(Extent, WholenessNeedsWholeCoefficientsAndNoNegativePower) {
  EXPECT_TRUE(n("A").isWhole());
  EXPECT_FALSE(n("A").dividedBy(c(2))->isWhole());
  EXPECT_FALSE(c(8).dividedBy(n("A"))->isWhole());
  EXPECT_FALSE(c(1).dividedBy(c(2))->asInteger());
}

TEST(Extent, SubstitutionGivesNumbers) {
  Extent words = *n("K").times(n("BITS"))->dividedBy(c(32));
  auto result =
      words.substitute([](llvm::StringRef name) -> std::optional<Extent> {
        if (name == "BITS")
          return Extent::constant(4);
        return std::nullopt;
      });
  ASSERT_TRUE(result);
  EXPECT_EQ(*result, *n("K").dividedBy(c(8)));
  EXPECT_FALSE(result->asInteger());
}

TEST(Extent, NumbersMayBeRatios) {
  Extent unit = *c(32).dividedBy(n("BITS"));
  EXPECT_FALSE(unit.asRatio());
  auto of = [&](int64_t bits) {
    return unit
        .substitute([&](llvm::StringRef) -> std::optional<Extent> {
          return Extent::constant(bits);
        })
        ->asRatio();
  };
  EXPECT_EQ(of(3), (Extent::Ratio{32, 3}));
  EXPECT_EQ(of(8), (Extent::Ratio{4, 1}));
  EXPECT_EQ(c(0).asRatio(), Extent::Ratio());
}

} // namespace
