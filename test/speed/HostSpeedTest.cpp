//===- HostSpeedTest.cpp - A floor under the host schedule's speed --------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One row times 4096 x 4096 weights of 4 bits against the product of the
// dequantized fp32 weights on one thread. Both are timed in turns, because
// other processes share the machine; only their ratio counts.
//
//===----------------------------------------------------------------------===//

#include "TestLayer.h"
#include "llvm/ADT/ArrayRef.h"
#include <chrono>
#include <gtest/gtest.h>
#include <thread>

using namespace nibble;
using namespace nibble::test;

/// y = x W for W [K, N] in fp32: rows added up, vectorised by the compiler.
static void multiply(const std::vector<float> &w, const std::vector<float> &x,
                     std::vector<float> &y) {
  size_t N = y.size();
  std::fill(y.begin(), y.end(), 0.0f);
  for (size_t k = 0; k < x.size(); k += 4) {
    const float *rows = &w[k * N];
    for (size_t n = 0; n < N; ++n)
      y[n] += x[k] * rows[n] + x[k + 1] * rows[N + n] +
              x[k + 2] * rows[2 * N + n] + x[k + 3] * rows[3 * N + n];
  }
}

TEST(HostSpeed, FasterThanAnFp32ProductOnOneThread) {
  constexpr int64_t K = 4096, N = 4096;
  std::mt19937 random(3);
  model::Layer model = randomLayer(random, 4, 128, K, N, Groups::None, false);
  QuantLinear layer = *QuantLinear::create(arraysOf(model, false));
  std::vector<float> w(K * N), x(K), yExact(N);
  std::vector<double> column(K);
  for (int64_t n = 0; n < N; ++n) {
    model::weightColumn(model, n, column);
    for (int64_t k = 0; k < K; ++k)
      w[k * N + n] = static_cast<float>(column[k]);
  }
  std::normal_distribution<float> normal;
  for (float &each : x)
    each = halfToFloat(floatToHalf(normal(random)));
  std::vector<uint16_t> y(N);
  TensorView xView = TensorView::dense(x.data(), DType::F32, {1, K});
  TensorView yView = TensorView::dense(y.data(), DType::F16, {1, N});

  using Clock = std::chrono::steady_clock;
  auto time = [](auto body) {
    Clock::time_point begin = Clock::now();
    body();
    return std::chrono::duration<double, std::micro>(Clock::now() - begin)
        .count();
  };
  ASSERT_TRUE(layer.forward(xView, yView).ok());
  // The best times of both, for up to a minute: a machine that does other
  // work leaves two cores free only now and then.
  double ours = 1e9, theirs = 1e9;
  Clock::time_point begin = Clock::now();
  for (int i = 0; i < 30 || (theirs < 3 * ours &&
                             Clock::now() - begin < std::chrono::seconds(60));
       ++i) {
    theirs = std::min(theirs, time([&] { multiply(w, x, yExact); }));
    ours = std::min(
        ours, time([&] { EXPECT_TRUE(layer.forward(xView, yView).ok()); }));
  }
  Error error;
  for (int64_t n = 0; n < N; ++n)
    error.add(halfToFloat(y[n]), yExact[n]);
  EXPECT_LE(error.relative(), 4e-4);
  std::printf("fp32 on one thread %.0f us, packed %.0f us: %.1f times\n",
              theirs, ours, theirs / ours);
#if defined(__OPTIMIZE__) && !__has_feature(address_sanitizer)
  if (std::thread::hardware_concurrency() >= 2) {
    EXPECT_GE(theirs / ours, 3);
  }
#endif
}
