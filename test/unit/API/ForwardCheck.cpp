//===- ForwardCheck.cpp - One call against float64 ------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ForwardCheck.h"
#include "Driver/Memory.h"
#include "Driver/Stream.h"
#include "TestLayer.h"
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;

namespace {

/// What ||y - ref|| / ||ref|| is checked at: fp16's own rounding of weights
/// and results gives 2.8e-4, bf16's 8 times that. A norm says something of many
/// results only: of 256, the roundings alone give up to 4.2e-4 one time in some
/// hundred. Each result is held to its own bound besides.
constexpr double fp16Tolerance = 4e-4, bf16Tolerance = 3e-3;
constexpr int64_t resultsOfANorm = 2000;

/// Memory that kernels can reach, with the content of host memory.
struct Reachable {
  const driver::Device *device;
  driver::DeviceBuffer buffer;
  void *host;
  size_t bytes;
  Reachable(const driver::Device *device, void *host, size_t bytes)
      : device(device), host(host), bytes(bytes) {
    if (device)
      buffer = *driver::DeviceBuffer::copyOf(*device, host, bytes);
  }
  void *address() const {
    return device ? reinterpret_cast<void *>(buffer.address()) : host;
  }
  void copyBack() const {
    if (!device)
      return;
    EXPECT_TRUE(
        driver::copyToHost(*device, host, buffer.address(), bytes, nullptr)
            .ok());
    EXPECT_TRUE(driver::synchronize(*device, nullptr).ok());
  }
};

} // namespace

unsigned nibble::test::seed() {
  static unsigned value = [] {
    const char *given = std::getenv("NIBBLE_TEST_SEED");
    return given ? static_cast<unsigned>(std::atoi(given))
                 : std::random_device()();
  }();
  return value;
}

QuantLinearOptions ForwardCheck::options() const {
  QuantLinearOptions options;
  options.device = device ? "cuda:" + std::to_string(device->ordinal()) : "cpu";
  options.schedule = schedule;
  return options;
}

void ForwardCheck::check(const QuantLinear &layer, const Truth &truth,
                         Call call, std::mt19937 &random) {
  ++count;
  ++failures; // until all is checked
  int64_t K = truth.K, N = truth.N, M = call.M;
  SCOPED_TRACE("bits " + std::to_string(layer.bits()) + " group " +
               std::to_string(layer.groupSize()) + " K " + std::to_string(K) +
               " N " + std::to_string(N) + " M " + std::to_string(M) +
               " type " + dtypeName(call.type) + " act-order " +
               std::to_string(layer.actOrder()) + " bias " +
               std::to_string(layer.hasBias()));
  ASSERT_EQ(layer.inFeatures(), K);
  ASSERT_EQ(layer.outFeatures(), N);
  int64_t step = call.layout == Layout::Strided ? 2 : 1;
  int64_t xRow = call.layout == Layout::Padded ? K + 24 : K * step;
  int64_t yRow = call.layout == Layout::Dense ? N : N + 5;
  size_t size = dtypeSize(call.type);
  constexpr uint16_t untouched = 0x7bcd;
  std::vector<char> x(M * xRow * size + size);
  std::vector<uint16_t> y(M * yRow + 1, untouched);
  std::vector<double> exact(M * K);
  std::normal_distribution<float> normal;
  // Elements between x's own must not be read: they are not numbers.
  for (int64_t i = 0; i < M * xRow; ++i)
    storeNumber(call.type, NAN, x.data(), i);
  for (int64_t m = 0; m < M; ++m)
    for (int64_t k = 0; k < K; ++k)
      exact[m * K + k] =
          storeNumber(call.type, normal(random), x.data(), m * xRow + k * step);
  Reachable xThere(device, x.data(), x.size()),
      yThere(device, y.data(), y.size() * 2);
  bool bfloat = call.type == DType::BF16;
  TensorView xView{xThere.address(), call.type, {M, K}, {xRow, step}};
  TensorView yView{
      yThere.address(), bfloat ? DType::BF16 : DType::F16, {M, N}, {yRow, 1}};
  std::vector<char> scratch(layer.workspaceSize(xView));
  Reachable scratchThere(device, scratch.data(), scratch.size());
  Status status = layer.forward(xView, yView, nullptr,
                                {scratchThere.address(), scratch.size()});
  ASSERT_TRUE(status.ok()) << status.message();
  yThere.copyBack();

  // Every weight and every result is rounded once; 1.02 is for the fp32 sum.
  double rounding = bfloat ? 0x1p-8 : 0x1p-11;
  Error error;
  for (int64_t m = 0; m < M; ++m) {
    for (int64_t n = 0; n < N; ++n) {
      double sum = truth.bias.empty() ? 0 : truth.bias[n];
      double terms = 0;
      for (int64_t k = 0; k < K; ++k) {
        double term = exact[m * K + k] * truth.weights[n * K + k];
        sum += term;
        terms += std::abs(term);
      }
      uint16_t bits = y[m * yRow + n];
      double got = bfloat ? bfloatToFloat(bits) : halfToFloat(bits);
      error.add(got, sum);
      // NaN must not pass.
      ASSERT_TRUE(std::abs(got - sum) <=
                  1.02 * rounding * (std::abs(sum) + terms) + 1e-6)
          << "y[" << m << ", " << n << "] is " << got << ", expected " << sum;
    }
    for (int64_t n = N; n < yRow; ++n)
      ASSERT_EQ(y[m * yRow + n], untouched) << "written beyond row " << m;
  }
  ASSERT_EQ(y.back(), untouched) << "written beyond y";
  if (M * N >= resultsOfANorm) {
    double &worst = bfloat ? worstBfloat : worstHalf;
    worst = std::max(worst, error.relative());
    ASSERT_LE(error.relative(), bfloat ? bf16Tolerance : fp16Tolerance);
  }
  --failures;
}

void ForwardCheck::report(const std::string &name) const {
  std::printf("numerics {\"sweep\": \"%s\", \"cases\": %d, \"failures\": %d, "
              "\"worst_rel_err\": {\"fp16\": %.2e, \"bf16\": %.2e}, "
              "\"device\": \"%s\", \"schedule\": \"%s\"}\n",
              name.c_str(), count, failures, worstHalf, worstBfloat,
              device ? device->properties().name.c_str() : "cpu",
              schedule.c_str());
}
