//===- PolicyTest.cpp - Layers on the CPU under every policy --------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestLayer.h"
#include <gtest/gtest.h>
#include <map>

using namespace nibble;
using namespace nibble::test;

namespace {

QuantLinearOptions onCpu(TuningPolicy policy = TuningPolicy::Heuristic,
                         bool pinned = false, bool batchInvariant = false) {
  QuantLinearOptions options;
  options.device = "cpu";
  options.tuning = policy;
  options.pinned = pinned;
  options.batchInvariant = batchInvariant;
  return options;
}

std::vector<uint16_t> randomHalves(std::mt19937 &random, int64_t count) {
  std::normal_distribution<float> normal;
  std::vector<uint16_t> x(count);
  for (uint16_t &each : x)
    each = floatToHalf(normal(random));
  return x;
}

/// y for the rows of x from `first` on.
std::vector<uint16_t> forward(const QuantLinear &layer,
                              const std::vector<uint16_t> &x, int64_t first,
                              int64_t rows) {
  int64_t K = layer.inFeatures(), N = layer.outFeatures();
  std::vector<uint16_t> y(rows * N);
  Status status = layer.forward(
      TensorView::dense(x.data() + first * K, DType::F16, {rows, K}),
      TensorView::dense(y.data(), DType::F16, {rows, N}));
  EXPECT_TRUE(status.ok()) << status.message();
  return y;
}

TEST(Policy, EachRunsTheHeuristicChoiceOnTheCpu) {
  std::mt19937 random(std::random_device{}());
  model::Layer model =
      randomLayer(random, 4, 32, 128, 96, Groups::None, /*bias=*/true);
  std::vector<uint16_t> x = randomHalves(random, 20 * 128);
  std::map<int64_t, std::vector<uint16_t>> expected;
  std::map<int64_t, std::string> configs;
  QuantLinear plain = *QuantLinear::create(arraysOf(model, false), onCpu());
  for (int64_t rows : {1, 3, 20}) {
    expected[rows] = forward(plain, x, 0, rows);
    configs[rows] = (*plain.prepare(DType::F16, rows))->config;
  }
  for (TuningPolicy policy : {TuningPolicy::Background, TuningPolicy::Blocking})
    for (bool pinned : {false, true}) {
      QuantLinear layer =
          *QuantLinear::create(arraysOf(model, false), onCpu(policy, pinned));
      for (int64_t rows : {1, 3, 20}) {
        EXPECT_EQ(forward(layer, x, 0, rows), expected[rows]);
        EXPECT_EQ((*layer.prepare(DType::F16, rows))->config, configs[rows]);
      }
    }
}

/// Every row of a call has the bits that it has by itself, at any place and
/// among any number of rows.
TEST(Policy, BatchInvariantRowsHaveTheSameBits) {
  std::mt19937 random(std::random_device{}());
  for (int bits : {2, 3, 4, 8})
    for (Groups groups : {Groups::None, Groups::Shuffled}) {
      model::Layer model =
          randomLayer(random, bits, 32, 416, 160, groups, true);
      QuantLinear layer = *QuantLinear::create(
          arraysOf(model, groups != Groups::None),
          onCpu(TuningPolicy::Blocking, false, /*batchInvariant=*/true));
      int64_t N = layer.outFeatures();
      std::vector<uint16_t> x = randomHalves(random, 70 * 416);
      std::vector<uint16_t> all = forward(layer, x, 0, 70);
      for (int64_t rows : {1, 2, 3, 5, 16, 17, 33})
        for (int64_t first : {0, 1, 37}) {
          std::vector<uint16_t> some = forward(layer, x, first, rows);
          EXPECT_TRUE(
              std::equal(some.begin(), some.end(), all.begin() + first * N))
              << bits << " bits, " << rows << " rows from " << first;
        }
      const CompiledKernel *kernel = *layer.prepare(DType::F16, 1);
      for (int64_t rows : {2, 70, 5000})
        EXPECT_EQ(*layer.prepare(DType::F16, rows), kernel);
    }
}

TEST(Policy, PrepareDoesEachKindOnce) {
  std::mt19937 random(1);
  model::Layer model =
      randomLayer(random, 4, 32, 128, 96, Groups::None, /*bias=*/false);
  QuantLinear layer = *QuantLinear::create(
      arraysOf(model, false), onCpu(TuningPolicy::Blocking, /*pinned=*/true));
  std::vector<Prepared> seen;
  Status status =
      layer.prepareAll({DType::F16, DType::F32}, {1, 2, 3, 5, 16, 40},
                       [&](const Prepared &each) { seen.push_back(each); });
  ASSERT_TRUE(status.ok()) << status.message();
  // On the CPU 2 and 3 share a kernel, and so do 16 and 40.
  ASSERT_EQ(seen.size(), 8u);
  std::map<std::pair<DType, int64_t>, int> kinds;
  for (size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i].done, i + 1);
    EXPECT_EQ(seen[i].total, 8u);
    EXPECT_EQ(seen[i].kernel, *layer.prepare(seen[i].type, seen[i].rows));
    EXPECT_TRUE(seen[i].candidates.empty());
    EXPECT_EQ(seen[i].measured, 0u);
    ++kinds[{seen[i].type, seen[i].rows}];
  }
  for (DType type : {DType::F16, DType::F32})
    for (int64_t rows : {1, 2, 5, 16})
      EXPECT_EQ((kinds[{type, rows}]), 1) << dtypeName(type) << " " << rows;

  EXPECT_TRUE(layer.prepareAll({}, {1}).ok());
  status = layer.prepareAll({DType::F16}, {1, 0});
  EXPECT_EQ(status.code(), ErrorCode::InvalidArgument);
  EXPECT_NE(status.message().find("number of rows is 0"), std::string::npos);
  EXPECT_EQ(layer.prepareAll({DType::I32}, {1}).code(),
            ErrorCode::InvalidArgument);
  EXPECT_EQ(QuantLinear().prepareAll({DType::F16}, {1}).code(),
            ErrorCode::InvalidArgument);
}

/// pack() makes new kernels, by the same options.
TEST(Policy, StaysWhenALayerIsPacked) {
  QuantLinear layer = *QuantLinear::empty(
      4, 32, 64, 64, false, onCpu(TuningPolicy::Background, true, true));
  std::string before = (*layer.prepare(DType::F16, 1))->config;
  std::vector<float> weight(64 * 64, 1.0f), scales(64 * 2, 0.5f),
      zeros(64 * 2, 8.0f);
  auto view = [](std::vector<float> &data, int64_t columns) {
    return TensorView::dense(data.data(), DType::F32, {64, columns});
  };
  Status status = layer.pack(view(weight, 64), view(scales, 2), view(zeros, 2),
                             std::nullopt, std::nullopt);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ((*layer.prepare(DType::F16, 1))->config, before);
}

} // namespace
