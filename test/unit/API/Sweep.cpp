//===- Sweep.cpp - Every kind of layer against float64 --------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The inputs differ from run to run; NIBBLE_TEST_SEED repeats one.
//
//===----------------------------------------------------------------------===//

#include "Sweep.h"
#include "Driver/Memory.h"
#include "Driver/Stream.h"
#include "TestLayer.h"
#include "llvm/ADT/ArrayRef.h"
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;

namespace {

/// What ||y - ref|| / ||ref|| is checked at: fp16's own rounding of weights
/// and results gives 2.8e-4, bf16's 8 times that. A norm says something of
/// many columns only; a single rounding may be off by 4.9e-4.
constexpr double fp16Tolerance = 4e-4, bf16Tolerance = 3.2e-3;
constexpr int64_t columnsOfANorm = 200;

unsigned seed() {
  static unsigned value = [] {
    const char *given = std::getenv("NIBBLE_TEST_SEED");
    return given ? static_cast<unsigned>(std::atoi(given))
                 : std::random_device()();
  }();
  return value;
}

/// Where the layers of the sweep are; null for the CPU.
const driver::Device *device = nullptr;

/// Memory that kernels can reach, with the content of host memory.
struct Reachable {
  driver::DeviceBuffer buffer;
  void *host;
  size_t bytes;
  Reachable(void *host, size_t bytes) : host(host), bytes(bytes) {
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

/// Strides of x: dense, rows apart, every second element.
enum class Layout { Dense, Padded, Strided };

struct Case {
  int64_t M;
  DType type;
  Layout layout;
};

/// Runs `layer` on one case and checks every element's share of the error.
void check(const QuantLinear &layer, const std::vector<double> &weights,
           const model::Layer &model, Case c, std::mt19937 &random,
           int &cases) {
  int64_t K = layer.inFeatures(), N = layer.outFeatures(), M = c.M;
  int64_t step = c.layout == Layout::Strided ? 2 : 1;
  int64_t xRow = c.layout == Layout::Padded ? K + 24 : K * step;
  int64_t yRow = c.layout == Layout::Dense ? N : N + 5;
  size_t size = dtypeSize(c.type);
  constexpr uint16_t untouched = 0x7bcd;
  std::vector<char> x(M * xRow * size + size);
  std::vector<uint16_t> y(M * yRow + 1, untouched);
  std::vector<double> exact(M * K);
  std::normal_distribution<float> normal;
  // Elements between x's own must not be read: they are not numbers.
  for (int64_t i = 0; i < M * xRow; ++i)
    storeNumber(c.type, NAN, x.data(), i);
  for (int64_t m = 0; m < M; ++m)
    for (int64_t k = 0; k < K; ++k)
      exact[m * K + k] =
          storeNumber(c.type, normal(random), x.data(), m * xRow + k * step);
  Reachable xThere(x.data(), x.size()), yThere(y.data(), y.size() * 2);
  TensorView xView{xThere.address(), c.type, {M, K}, {xRow, step}};
  TensorView yView{yThere.address(),
                   c.type == DType::BF16 ? DType::BF16 : DType::F16,
                   {M, N},
                   {yRow, 1}};
  std::vector<char> scratch(layer.workspaceSize(xView));
  Reachable scratchThere(scratch.data(), scratch.size());
  Status status = layer.forward(xView, yView, nullptr,
                                {scratchThere.address(), scratch.size()});
  ASSERT_TRUE(status.ok()) << status.message();
  yThere.copyBack();

  SCOPED_TRACE("bits " + std::to_string(layer.bits()) + " group " +
               std::to_string(layer.groupSize()) + " K " + std::to_string(K) +
               " N " + std::to_string(N) + " M " + std::to_string(M) +
               " type " + dtypeName(c.type) + " act-order " +
               std::to_string(layer.actOrder()) + " bias " +
               std::to_string(layer.hasBias()));
  // Every weight and every result is rounded once; 1.02 is for the fp32 sum.
  double rounding = c.type == DType::BF16 ? 0x1p-8 : 0x1p-11;
  Error error;
  for (int64_t m = 0; m < M; ++m) {
    for (int64_t n = 0; n < N; ++n) {
      double sum = model.bias.empty() ? 0 : model.bias[n];
      double terms = 0;
      for (int64_t k = 0; k < K; ++k) {
        double term = exact[m * K + k] * weights[n * K + k];
        sum += term;
        terms += std::abs(term);
      }
      uint16_t bits = y[m * yRow + n];
      double got =
          c.type == DType::BF16 ? bfloatToFloat(bits) : halfToFloat(bits);
      error.add(got, sum);
      // NaN must not pass.
      ASSERT_TRUE(std::abs(got - sum) <=
                  1.02 * rounding * (std::abs(sum) + terms) + 1e-6)
          << "y[" << m << ", " << n << "] is " << got << ", expected " << sum;
    }
    for (int64_t n = N; n < yRow; ++n)
      ASSERT_EQ(y[m * yRow + n], untouched) << "written beyond row " << m;
  }
  EXPECT_EQ(y.back(), untouched) << "written beyond y";
  if (N >= columnsOfANorm)
    EXPECT_LE(error.relative(),
              c.type == DType::BF16 ? bf16Tolerance : fp16Tolerance);
  ++cases;
}

} // namespace

void nibble::test::sweep(int bits, const driver::Device *where,
                         const std::string &schedule) {
  device = where;
  SCOPED_TRACE("NIBBLE_TEST_SEED=" + std::to_string(seed()));
  std::mt19937 random(seed() + bits);
  int64_t P = Codec{bits}.unitCodes(), U = std::max<int64_t>(P, 16);
  // Whole blocks; N ragged; K ragged; both; smallest; the last group short.
  struct Shape {
    int64_t K, N, groupSize;
    DType scaleType = DType::F16;
  };
  const Shape shapes[] = {
      {256, 256, 32},
      {256, 256, 64},
      {256, 256, 128},
      {256, 256, -1},
      {384, U * 13, 128},
      {U * 11, 256, 16},
      {U * 7, U * 21, -1},
      {P * 5, P * 9, P},
      {P, P, -1},
      {160, 512 + U * 3, 80},
      {U * 5, 256, 96, DType::F32},
  };
  int cases = 0;
  QuantLinearOptions options;
  options.device = device ? "cuda:" + std::to_string(device->ordinal()) : "cpu";
  options.schedule = schedule;
  for (const Shape &shape : shapes)
    for (Groups groups : {Groups::None, Groups::InOrder, Groups::Shuffled})
      for (bool bias : {false, true}) {
        // Every other combination, but all kinds of groups for all shapes.
        if (bias != ((&shape - shapes) % 2 == 1) && groups != Groups::Shuffled)
          continue;
        model::Layer model =
            randomLayer(random, bits, shape.groupSize, shape.K, shape.N, groups,
                        bias, shape.scaleType);
        Result<QuantLinear> layer = QuantLinear::create(
            arraysOf(model, groups != Groups::None), options);
        ASSERT_TRUE(layer.ok()) << layer.status().message();
        std::vector<double> weights(shape.N * shape.K);
        for (int64_t n = 0; n < shape.N; ++n)
          model::weightColumn(
              model, n,
              llvm::MutableArrayRef(weights).slice(n * shape.K, shape.K));
        for (Case c : {Case{1, DType::F16, Layout::Dense},
                       Case{3, DType::F16, Layout::Padded},
                       Case{5, DType::F16, Layout::Strided},
                       Case{37, DType::F16, Layout::Padded},
                       Case{1, DType::F32, Layout::Strided},
                       Case{1, DType::BF16, Layout::Dense}})
          check(*layer, weights, model, c, random, cases);
        if (groups == Groups::Shuffled && bias)
          check(*layer, weights, model, {18, DType::BF16, Layout::Padded},
                random, cases);
      }
  std::printf("%d cases\n", cases);
  EXPECT_GE(cases, 170);
}
