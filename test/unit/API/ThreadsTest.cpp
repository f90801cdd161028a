//===- ThreadsTest.cpp - Many threads, many layers, no warm-up ------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestLayer.h"
#include <atomic>
#include <gtest/gtest.h>
#include <thread>

using namespace nibble;
using namespace nibble::test;

namespace {

std::vector<uint16_t> call(const QuantLinear &layer,
                           const std::vector<uint16_t> &x, int64_t rows) {
  std::vector<uint16_t> y(rows * layer.outFeatures(), 0xffff);
  Status status = layer.forward(
      TensorView::dense(x.data(), DType::F16, {rows, layer.inFeatures()}),
      TensorView::dense(y.data(), DType::F16, {rows, layer.outFeatures()}));
  EXPECT_TRUE(status.ok()) << status.message();
  return y;
}

// All first calls come at once, so that threads compile, wait for one another's
// kernels, load and launch at the same time.
TEST(Threads, ManyLayersFromTheFirstCallOn) {
  constexpr int64_t K = 128, N = 96, mostRows = 20;
  std::mt19937 random(std::random_device{}());
  std::vector<QuantLinear> layers;
  for (int bits : {2, 4})
    for (Groups groups : {Groups::None, Groups::Shuffled})
      layers.push_back(*QuantLinear::create(
          arraysOf(randomLayer(random, bits, 32, K, N, groups, bits == 2),
                   groups != Groups::None)));
  std::normal_distribution<float> normal;
  std::vector<uint16_t> x(mostRows * K);
  for (uint16_t &each : x)
    each = floatToHalf(normal(random));

  struct Call {
    size_t layer;
    int64_t rows;
    std::vector<uint16_t> y;
  };
  std::vector<std::vector<Call>> calls(8);
  std::vector<std::thread> threads;
  for (std::vector<Call> &own : calls)
    threads.emplace_back([&, seed = random()] {
      std::mt19937 choice(seed);
      for (int i = 0; i < 60; ++i) {
        size_t layer = choice() % layers.size();
        int64_t rows = 1 + static_cast<int64_t>(choice() % mostRows);
        own.push_back({layer, rows, call(layers[layer], x, rows)});
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  for (const std::vector<Call> &own : calls)
    for (const Call &each : own)
      ASSERT_EQ(each.y, call(layers[each.layer], x, each.rows));
}

// Threads that bring no workspace share the layer's, in which x is copied.
TEST(Threads, ShareTheWorkspaceThatIsHeld) {
  constexpr int64_t K = 128, N = 96, rows = 5;
  std::mt19937 random(std::random_device{}());
  QuantLinear layer = *QuantLinear::create(arraysOf(
      randomLayer(random, 4, 32, K, N, Groups::None, /*bias=*/true), false));
  ASSERT_TRUE(layer.reserveWorkspace(rows).ok());
  std::normal_distribution<float> normal;
  std::vector<std::vector<uint16_t>> xs(4);
  for (std::vector<uint16_t> &x : xs)
    for (int64_t i = 0; i < rows * K; ++i)
      x.push_back(floatToHalf(normal(random)));
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (const std::vector<uint16_t> &x : xs)
    threads.emplace_back([&] {
      std::vector<uint16_t> right = call(layer, x, rows), apart(2 * rows * K),
                            y(rows * N);
      for (size_t i = 0; i < x.size(); ++i)
        apart[2 * i] = x[i];
      for (int i = 0; i < 300; ++i) {
        Status status =
            layer.forward({apart.data(), DType::F16, {rows, K}, {2 * K, 2}},
                          TensorView::dense(y.data(), DType::F16, {rows, N}));
        wrong += !status.ok() || y != right;
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0);
}

} // namespace
