//===- GptqTest.cpp - Quantizing with calibration -------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where GPTQ must be round-to-nearest it is; where inputs correlate, its y is
// nearer. Inputs are fresh in each run.
//
//===----------------------------------------------------------------------===//

#include "Model/Gptq.h"
#include "Model/Pack.h"
#include "Support/Half.h"
#include <cmath>
#include <gtest/gtest.h>
#include <random>

using namespace nibble;
using namespace nibble::model;

namespace {

struct Problem {
  std::mt19937 random{std::random_device{}()};
  int64_t K, N;
  std::vector<float> weight; // [N, K]
  Problem(int64_t K, int64_t N) : K(K), N(N), weight(K * N) {
    std::normal_distribution<float> normal(0, 0.02f);
    for (float &each : weight)
      each = normal(random);
  }
  /// [T, K] of `latent` common causes and some noise of each input's own; the
  /// causes are the same in every call.
  std::vector<float> correlated(int64_t T, int64_t latent) {
    std::mt19937 causes(static_cast<unsigned>(K * 131 + latent));
    std::normal_distribution<float> normal;
    std::vector<float> mix(latent * K), x(T * K);
    for (float &each : mix)
      each = normal(causes);
    for (int64_t t = 0; t < T; ++t) {
      std::vector<float> cause(latent);
      for (float &each : cause)
        each = normal(random);
      for (int64_t k = 0; k < K; ++k) {
        float sum = 0.3f * normal(random);
        for (int64_t i = 0; i < latent; ++i)
          sum += cause[i] * mix[i * K + k];
        x[t * K + k] = sum;
      }
    }
    return x;
  }
  Layer pack(const GptqOptions &options, const GptqResult &from) const {
    Layer layer = *emptyLayer(options.bits, options.groupSize, K, N, false);
    Status status =
        packLayer(layer, from.weight, from.scales, from.zeros, from.gIdx, {});
    EXPECT_TRUE(status.ok()) << status.message();
    return layer;
  }
  Layer nearest(const GptqOptions &options) const {
    GptqResult result;
    result.weight = weight;
    fitScales(weight, K, N, options.bits, options.groupSize, options.symmetric,
              result.scales, result.zeros);
    return pack(options, result);
  }
  /// ||x W' - x W|| / ||x W||.
  double error(const Layer &layer, const std::vector<float> &x) const {
    double difference = 0, reference = 0;
    std::vector<double> column(K);
    for (int64_t n = 0; n < N; ++n) {
      weightColumn(layer, n, column);
      for (size_t t = 0; t < x.size() / K; ++t) {
        double got = 0, exact = 0;
        for (int64_t k = 0; k < K; ++k) {
          got += x[t * K + k] * column[k];
          exact += double(x[t * K + k]) * weight[n * K + k];
        }
        difference += (got - exact) * (got - exact);
        reference += exact * exact;
      }
    }
    return std::sqrt(difference / reference);
  }
};

/// Each input alone: H is diagonal, and nothing can be made up for.
TEST(Gptq, IsRoundToNearestWhereInputsDoNotCorrelate) {
  for (int bits : Codec::widths) {
    Problem p(96, 32);
    std::vector<float> x(p.K * p.K);
    for (int64_t k = 0; k < p.K; ++k)
      x[k * p.K + k] = 1 + static_cast<float>(k % 7);
    GptqOptions options{.bits = bits, .groupSize = 32};
    Result<GptqResult> result = gptq(p.weight, p.K, x, options);
    ASSERT_TRUE(result.ok()) << result.status().message();
    Layer made = p.pack(options, *result);
    // Scales are rounded to fp16 before and not after weights are divided.
    GptqResult plain;
    fitScales(p.weight, p.K, p.N, bits, 32, false, plain.scales, plain.zeros);
    for (float &each : plain.scales)
      each = halfToFloat(floatToHalf(each));
    plain.weight = p.weight;
    Layer expected = p.pack(options, plain);
    EXPECT_EQ(made.scales, expected.scales);
    EXPECT_EQ(made.qzeros, expected.qzeros);
    std::vector<double> a(p.K), b(p.K);
    int differ = 0; // ties, decided by a division here and there
    for (int64_t n = 0; n < p.N; ++n) {
      weightColumn(made, n, a);
      weightColumn(expected, n, b);
      for (int64_t k = 0; k < p.K; ++k)
        differ += a[k] != b[k];
    }
    EXPECT_LE(differ, 2);
    EXPECT_FALSE(made.actOrder);
  }
}

TEST(Gptq, BeatsRoundToNearestOnCorrelatedInputs) {
  struct {
    int bits;
    int64_t groupSize;
    bool symmetric, actOrder, staticGroups;
  } cases[] = {
      {4, 32, false, false, false},  {4, 64, true, false, false},
      {4, 96, false, true, false}, // groups across blocks of 128 rows
      {4, 32, false, true, true},    {2, 32, false, true, false},
      {4, 384, false, false, false}, {8, 48, true, true, false},
  };
  for (const auto &each : cases) {
    SCOPED_TRACE(testing::Message()
                 << each.bits << " bits, groups of " << each.groupSize);
    Problem p(384, 48);
    GptqOptions options;
    options.bits = each.bits;
    options.groupSize = each.groupSize;
    options.symmetric = each.symmetric;
    options.actOrder = each.actOrder;
    options.staticGroups = each.staticGroups;
    std::vector<float> x = p.correlated(1200, 24),
                       other = p.correlated(200, 24);
    Result<GptqResult> result = gptq(p.weight, p.K, x, options);
    ASSERT_TRUE(result.ok()) << result.status().message();
    Layer made = p.pack(options, *result);
    bool shuffled = each.actOrder && !each.staticGroups;
    EXPECT_EQ(made.actOrder, shuffled);
    // Rows of a group: exactly groupSize, in whatever order.
    std::vector<int64_t> rows(made.groups);
    for (int32_t g : made.gIdx)
      ++rows[g];
    for (int64_t count : rows)
      EXPECT_EQ(count, each.groupSize);
    // On inputs that it has not seen.
    double with = p.error(made, other);
    double without = p.error(p.nearest(options), other);
    EXPECT_LT(with, 0.6 * without);
    std::printf("%d bits, groups of %d%s%s: %.5f, to nearest %.5f\n", each.bits,
                static_cast<int>(each.groupSize),
                each.actOrder ? ", act-order" : "",
                each.staticGroups ? ", static groups" : "", with, without);
  }
}

TEST(Gptq, ActOrderPutsLargeInputsFirst) {
  Problem p(64, 8);
  std::vector<float> x(p.K * p.K);
  for (int64_t k = 0; k < p.K; ++k)
    x[k * p.K + k] = static_cast<float>(k + 1); // the last is the largest
  GptqOptions options{.groupSize = 16, .actOrder = true};
  Result<GptqResult> result = gptq(p.weight, p.K, x, options);
  ASSERT_TRUE(result.ok()) << result.status().message();
  for (int64_t k = 0; k < p.K; ++k)
    EXPECT_EQ(result->gIdx[k], (p.K - 1 - k) / 16);
}

TEST(Gptq, InputsThatAreAlwaysZeroDoNoHarm) {
  Problem p(64, 16);
  std::vector<float> x = p.correlated(300, 8);
  for (size_t t = 0; t < 300; ++t)
    x[t * 64 + 5] = 0;
  Result<GptqResult> result = gptq(p.weight, p.K, x, {.groupSize = 64});
  ASSERT_TRUE(result.ok()) << result.status().message();
  for (float each : result->weight)
    EXPECT_TRUE(std::isfinite(each));
}

TEST(Gptq, NamesWhatIsWrong) {
  Problem p(32, 8);
  std::vector<float> x = p.correlated(64, 4);
  auto refused = [&](auto change, const char *message) {
    std::vector<float> weight = p.weight, inputs = x;
    GptqOptions options{.groupSize = 32};
    change(weight, inputs, options);
    Status status = gptq(weight, p.K, inputs, options).status();
    EXPECT_EQ(status.code(), ErrorCode::InvalidArgument);
    EXPECT_NE(status.message().find(message), std::string::npos)
        << status.message();
  };
  refused([](auto &w, auto &, auto &) { w.pop_back(); }, "weight has 255");
  refused([](auto &, auto &i, auto &) { i.clear(); },
          "the calibration inputs have 0 elements");
  refused([](auto &, auto &i, auto &) { i.pop_back(); },
          "the calibration inputs have 2047 elements");
  refused([](auto &, auto &i, auto &) { i[7] = NAN; },
          "infinite or not a number");
  refused([](auto &, auto &i, auto &) { i[7] = 1e30f; },
          "infinite or not a number");
  refused([](auto &w, auto &, auto &) { w[33] = INFINITY; },
          "weight[1, 1] is infinite or not a number");
  refused([](auto &, auto &, auto &o) { o.damping = -1; }, "damping is -1");
  refused([](auto &, auto &, auto &o) { o.damping = NAN; }, "damping is nan");
  refused([](auto &, auto &, auto &o) { o.groupSize = 0; }, "groupsize is 0");
  // What is finite in double alone.
  refused([](auto &, auto &, auto &o) { o.damping = 1e308; },
          "with a damping of 1.000000E+308, are too large or too small");
  refused([](auto &, auto &, auto &o) { o.damping = 1e100; }, "too large");
  // Two inputs that are always the same, and no damping.
  refused(
      [](auto &, auto &i, auto &o) {
        for (size_t at = 0; at < i.size(); ++at)
          i[at] = 1;
        o.damping = 0;
      },
      "do not tell the 32 rows apart; more damping");
}

} // namespace
