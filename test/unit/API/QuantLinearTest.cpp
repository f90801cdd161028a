//===- QuantLinearTest.cpp - The layer's contract -------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../TestFolder.h"
#include "Model/CheckpointWriter.h"
#include "Refused.h"
#include "TestLayer.h"
#include "llvm/ADT/ArrayRef.h"
#include <cstring>
#include <gtest/gtest.h>
#include <thread>

using namespace nibble;
using namespace nibble::test;

namespace {

/// A layer with its exact weights and a way to run it.
struct Fixture {
  std::mt19937 random{7};
  model::Layer model =
      randomLayer(random, 4, 32, 64, 48, Groups::InOrder, true);
  QuantLinear layer = *QuantLinear::create(arraysOf(model, true));
  std::vector<uint16_t> x = std::vector<uint16_t>(24 * 64),
                        y = std::vector<uint16_t>(24 * 48, 0xffff);

  Fixture() {
    std::normal_distribution<float> normal;
    for (uint16_t &each : x)
      each = floatToHalf(normal(random));
  }
  Status forward(std::vector<int64_t> xShape, std::vector<int64_t> xStrides,
                 std::vector<int64_t> yShape, std::vector<int64_t> yStrides) {
    return layer.forward(
        {x.data(), DType::F16, std::move(xShape), std::move(xStrides)},
        {y.data(), DType::F16, std::move(yShape), std::move(yStrides)});
  }
};

TEST(QuantLinear, AnyRankGivesTheRowsOfTheFlatCall) {
  Fixture f;
  ASSERT_TRUE(f.forward({24, 64}, {}, {24, 48}, {}).ok());
  std::vector<uint16_t> flat = f.y;
  for (std::vector<int64_t> leading :
       {std::vector<int64_t>{24, 1}, {2, 12}, {2, 3, 4}, {1, 4, 1, 6}}) {
    std::fill(f.y.begin(), f.y.end(), 0xffff);
    std::vector<int64_t> xShape = leading, yShape = leading;
    xShape.push_back(64);
    yShape.push_back(48);
    ASSERT_TRUE(f.forward(xShape, {}, yShape, {}).ok());
    EXPECT_EQ(f.y, flat);
  }
}

TEST(QuantLinear, RankOneIsOneRow) {
  Fixture f;
  ASSERT_TRUE(f.forward({1, 64}, {}, {1, 48}, {}).ok());
  std::vector<uint16_t> row = f.y;
  std::fill(f.y.begin(), f.y.end(), 0xffff);
  ASSERT_TRUE(f.forward({64}, {}, {48}, {}).ok());
  EXPECT_EQ(f.y, row);
}

TEST(QuantLinear, LeadingStridesAreRespected) {
  Fixture f;
  // [2, 3, 64] out of [2, 4, 64], and transposed leading dimensions of y.
  ASSERT_TRUE(f.forward({8, 64}, {}, {8, 48}, {}).ok());
  std::vector<uint16_t> all = f.y;
  std::fill(f.y.begin(), f.y.end(), 0xffff);
  ASSERT_TRUE(
      f.forward({2, 3, 64}, {256, 64, 1}, {2, 3, 48}, {48, 96, 1}).ok());
  for (int64_t i = 0; i < 2; ++i)
    for (int64_t j = 0; j < 3; ++j)
      for (int64_t n = 0; n < 48; ++n)
        ASSERT_EQ(f.y[i * 48 + j * 96 + n], all[(i * 4 + j) * 48 + n]);
}

TEST(QuantLinear, NoRowsIsNoWork) {
  Fixture f;
  EXPECT_TRUE(f.forward({0, 64}, {}, {0, 48}, {}).ok());
  EXPECT_TRUE(f.forward({3, 0, 64}, {}, {3, 0, 48}, {}).ok());
  EXPECT_EQ(f.y[0], 0xffff);
}

TEST(QuantLinear, RunsAreBitwiseEqual) {
  Fixture f;
  ASSERT_TRUE(f.forward({24, 64}, {}, {24, 48}, {}).ok());
  std::vector<uint16_t> first = f.y;
  for (int i = 0; i < 100; ++i) {
    std::fill(f.y.begin(), f.y.end(), 0xffff);
    ASSERT_TRUE(f.forward({24, 64}, {}, {24, 48}, {}).ok());
    ASSERT_EQ(f.y, first);
  }
}

TEST(QuantLinear, ThreadsShareALayer) {
  Fixture f;
  ASSERT_TRUE(f.forward({24, 64}, {}, {24, 48}, {}).ok());
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      std::vector<uint16_t> own(24 * 48);
      for (int i = 0; i < 50; ++i) {
        Status status = f.layer.forward(
            TensorView::dense(f.x.data(), DType::F16, {24, 64}),
            TensorView::dense(own.data(), DType::F16, {24, 48}));
        wrong += !status.ok() || own != f.y;
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(QuantLinear, StridedColumnsNeedAWorkspace) {
  Fixture f;
  TensorView x{f.x.data(), DType::F16, {3, 64}, {128, 2}};
  TensorView y = TensorView::dense(f.y.data(), DType::F16, {3, 48});
  EXPECT_EQ(f.layer.workspaceSize(x), 512u); // 3 * 64 * 2, padded
  EXPECT_GE(f.layer.workspaceSize(3), f.layer.workspaceSize(x));
  EXPECT_REFUSED(f.layer.forward(x, y), InvalidArgument,
                 "the workspace has 0 bytes");
  std::vector<char> scratch(f.layer.workspaceSize(3));
  ASSERT_TRUE(
      f.layer.forward(x, y, nullptr, {scratch.data(), scratch.size()}).ok());
  std::vector<uint16_t> given = f.y;
  std::fill(f.y.begin(), f.y.end(), 0xffff);
  // What is held on the CPU is no stream's, and stays when less is asked for.
  int stream;
  ASSERT_TRUE(f.layer.reserveWorkspace(3, &stream).ok());
  ASSERT_TRUE(f.layer.reserveWorkspace(1).ok());
  ASSERT_TRUE(f.layer.forward(x, y).ok());
  EXPECT_EQ(f.y, given);
}

TEST(QuantLinear, ForwardNamesWhatIsWrong) {
  Fixture f;
  EXPECT_REFUSED(f.forward({2, 63}, {}, {2, 48}, {}), InvalidArgument,
                 "x has last extent 63, expected 64");
  EXPECT_REFUSED(f.forward({2, 64}, {}, {2, 47}, {}), InvalidArgument,
                 "y has last extent 47, expected 48");
  EXPECT_REFUSED(f.forward({2, 64}, {}, {3, 48}, {}), InvalidArgument,
                 "y has extent 3 in dimension 0, and x has 2");
  EXPECT_REFUSED(f.forward({2, 64}, {}, {1, 2, 48}, {}), InvalidArgument,
                 "y has 3 extents, and x has 2");
  EXPECT_REFUSED(f.forward({2, 64}, {-64, 1}, {2, 48}, {}), InvalidArgument,
                 "x has stride -64 in dimension 0");
  EXPECT_REFUSED(f.forward({2, 64}, {64}, {2, 48}, {}), InvalidArgument,
                 "x has 1 strides for 2 extents");
  EXPECT_REFUSED(f.forward({2, 64}, {}, {2, 48}, {96, 2}), InvalidArgument,
                 "y has neighbours along its last extent 2 elements apart");
  EXPECT_REFUSED(f.forward({-1, 64}, {}, {-1, 48}, {}), InvalidArgument,
                 "x has extent -1 in dimension 0");
  EXPECT_REFUSED(f.forward({INT64_MAX, 64}, {}, {INT64_MAX, 48}, {}),
                 InvalidArgument, "more elements than fit");
  EXPECT_REFUSED(f.forward({}, {}, {}, {}), InvalidArgument,
                 "x has no extents");
  TensorView x = TensorView::dense(f.x.data(), DType::F16, {1, 64});
  TensorView y = TensorView::dense(f.y.data(), DType::F16, {1, 48});
  TensorView wrong = y;
  wrong.type = DType::BF16;
  EXPECT_REFUSED(f.layer.forward(x, wrong), InvalidArgument,
                 "y has elements of type bf16, expected f16");
  wrong = x;
  wrong.type = DType::I32;
  EXPECT_REFUSED(f.layer.forward(wrong, y), InvalidArgument, "type i32");
  wrong = x;
  wrong.data = nullptr;
  EXPECT_REFUSED(f.layer.forward(wrong, y), InvalidArgument, "x has no memory");
  wrong.data = reinterpret_cast<char *>(f.x.data()) + 1;
  EXPECT_REFUSED(f.layer.forward(wrong, y), InvalidArgument,
                 "x is not aligned");
}

TEST(QuantLinear, CreateNamesWhatIsWrong) {
  Fixture f;
  auto create = [&](auto change) {
    QuantLinearArrays arrays = arraysOf(f.model, true);
    change(arrays);
    return QuantLinear::create(arrays).status();
  };
  EXPECT_REFUSED(create([](auto &a) { a.bits = 5; }), Unsupported,
                 "bits is 5; nibble takes 2, 3, 4 and 8");
  EXPECT_REFUSED(create([](auto &a) {
                   a.groupSize = 24;
                   a.gIdx.reset();
                 }),
                 InvalidArgument,
                 "there are 2 groups; groupsize 24 and infeatures 64 need 3");
  EXPECT_REFUSED(create([](auto &a) { a.scales.type = DType::I32; }),
                 InvalidArgument, "scales has elements of type i32");
  EXPECT_REFUSED(create([](auto &a) { a.groupSize = 0; }), InvalidArgument,
                 "groupsize is 0");
  EXPECT_REFUSED(create([](auto &a) { a.qweight.type = DType::F32; }),
                 InvalidArgument, "qweight has elements of type f32");
  EXPECT_REFUSED(create([](auto &a) { a.qweight.data = nullptr; }),
                 InvalidArgument, "qweight has no memory");
  EXPECT_REFUSED(create([](auto &a) { a.qzeros.shape = {1, 6}; }),
                 InvalidArgument, "qzeros is 1 x 6, expected 2 x 6");
  EXPECT_REFUSED(create([](auto &a) { a.scales.shape = {96}; }),
                 InvalidArgument, "scales has 1 extents, expected 2");
  EXPECT_REFUSED(create([](auto &a) { a.scales.strides = {1, 2}; }),
                 InvalidArgument, "scales is not dense");
  EXPECT_REFUSED(create([](auto &a) { a.gIdx->shape = {63}; }), InvalidArgument,
                 "g_idx has 63 elements, expected 64");
  EXPECT_REFUSED(create([](auto &a) { a.bias->shape = {47}; }), InvalidArgument,
                 "bias has 47 elements, expected 48");
  f.model.gIdx[5] = 2;
  EXPECT_REFUSED(create([](auto &) {}), InvalidArgument,
                 "g_idx[5] is 2; there are 2 groups");
  f.model.gIdx[5] = -1;
  EXPECT_REFUSED(create([](auto &) {}), InvalidArgument, "g_idx[5] is -1");
  QuantLinearOptions options;
  for (const char *name : {"", "gpu", "CPU", "cuda", "cuda:", "cuda:x",
                           "cuda:1x", "cuda:-1", "cuda:99999999999"}) {
    options.device = name;
    EXPECT_REFUSED(QuantLinear::empty(4, 32, 64, 48, true, options).status(),
                   InvalidArgument,
                   "there is no device '" + std::string(name) +
                       "'; devices are auto, cpu and cuda:0, cuda:1, ...");
  }
  EXPECT_REFUSED(QuantLinear::empty(4, 32, 60, 48, true).status(),
                 InvalidArgument, "infeatures is 60");
  EXPECT_REFUSED(QuantLinear::empty(4, 32, 64, 0, true).status(),
                 InvalidArgument, "outfeatures is 0");
}

/// Numbers that all three types hold give the same y in each, and what only
/// fp32 holds is kept.
/// Every way to make a layer refuses them, not the first call.
TEST(QuantLinear, OptionsAreForTheTarget) {
  Fixture f;
  TestFolder folder;
  std::string path = folder / "model";
  auto writer = model::CheckpointWriter::create(path, "");
  ASSERT_TRUE(writer.ok()) << writer.status().message();
  ASSERT_TRUE(writer->add("a", f.model, model::Format::Gptq).ok());
  ASSERT_TRUE(
      writer->finish(llvm::json::Object{{"bits", 4}, {"group_size", 32}}).ok());
  auto refused = [&](const char *schedule, const char *config,
                     const char *message) {
    QuantLinearOptions options;
    options.device = "cpu";
    options.schedule = schedule;
    options.config = config;
    EXPECT_REFUSED(
        QuantLinear::create(arraysOf(f.model, true), options).status(),
        InvalidArgument, message);
    EXPECT_REFUSED(QuantLinear::empty(4, 32, 64, 32, false, options).status(),
                   InvalidArgument, message);
    EXPECT_REFUSED(QuantLinear::load(path, "a", options).status(),
                   InvalidArgument, message);
  };
  refused("foo", "", "there is no schedule 'foo' for target host");
  refused("mma", "", "there is no schedule 'mma' for target host");
  refused("auto", "packed=1",
          "the configuration 'packed=1' asks for the packed order, which "
          "schedule auto for target host does not read");
  refused("host", "BLOCK_M=8 packed=1", "asks for the packed order");
  refused("auto", "packed=1 splits=2",
          "splits needs sm_90a or later; the target is host");
  QuantLinearOptions options;
  options.device = "cpu";
  options.schedule = "host";
  options.config = "BLOCK_M=2";
  EXPECT_TRUE(QuantLinear::load(path, "a", options).ok());
}

TEST(QuantLinear, ScalesAndBiasOfAnyType) {
  Fixture f;
  int64_t G = 2, N = 48, K = 64;
  std::vector<float> scales(G * N), bias(N);
  std::uniform_int_distribution<int> eighths(1, 127);
  for (float &each : scales)
    each = std::ldexp(static_cast<float>(eighths(f.random)), -10);
  for (float &each : bias)
    each = static_cast<float>(eighths(f.random));
  auto run = [&](DType type) {
    std::vector<char> s(scales.size() * 4), b(bias.size() * 4);
    for (size_t i = 0; i < scales.size(); ++i)
      storeNumber(type, scales[i], s.data(), static_cast<int64_t>(i));
    for (size_t i = 0; i < bias.size(); ++i)
      storeNumber(type, bias[i], b.data(), static_cast<int64_t>(i));
    QuantLinearArrays arrays = arraysOf(f.model, true);
    arrays.scales = TensorView::dense(s.data(), type, {G, N});
    arrays.bias = TensorView::dense(b.data(), type, {N});
    Result<QuantLinear> layer = QuantLinear::create(arrays);
    EXPECT_TRUE(layer.ok()) << layer.status().message();
    std::vector<uint16_t> y(N);
    EXPECT_TRUE(layer
                    ->forward(TensorView::dense(f.x.data(), DType::F16, {1, K}),
                              TensorView::dense(y.data(), DType::F16, {1, N}))
                    .ok());
    return y;
  };
  std::vector<uint16_t> y = run(DType::F16);
  EXPECT_EQ(run(DType::BF16), y);
  EXPECT_EQ(run(DType::F32), y);

  // fp16 makes such scales 0.
  for (float &each : scales)
    each *= 1e-8f;
  std::fill(f.x.begin(), f.x.end(), floatToHalf(30000.0f));
  f.model.setScales(scales);
  EXPECT_EQ(f.model.scaleType(), DType::F32);
  std::fill(bias.begin(), bias.end(), 0.0f);
  y = run(DType::F32);
  std::vector<double> weight(K);
  for (int64_t n = 0; n < N; ++n) {
    double sum = 0;
    model::weightColumn(f.model, n, weight);
    for (double w : weight)
      sum += w * 30000;
    EXPECT_NEAR(halfToFloat(y[n]), sum, 5e-4 * std::abs(sum) + 1e-7);
  }
}

/// A scale that is no number spoils its own column of y and no other.
TEST(QuantLinear, ScalesThatAreNoNumbersArePropagated) {
  Fixture f;
  ASSERT_TRUE(f.forward({24, 64}, {}, {24, 48}, {}).ok());
  std::vector<uint16_t> sound = f.y;
  f.model.scales[5] = 0x7e00;
  f.model.scales[48 + 9] = 0x7c00; // infinity: some x * code are negative
  f.layer = *QuantLinear::create(arraysOf(f.model, true));
  ASSERT_TRUE(f.forward({24, 64}, {}, {24, 48}, {}).ok());
  for (int64_t m = 0; m < 24; ++m)
    for (int64_t n = 0; n < 48; ++n) {
      if (n == 5 || n == 9)
        EXPECT_FALSE(std::isfinite(halfToFloat(f.y[m * 48 + n])));
      else
        EXPECT_EQ(f.y[m * 48 + n], sound[m * 48 + n]);
    }
}

TEST(QuantLinear, WeightIsTheCheckpointsOrder) {
  Fixture f;
  TensorView weight = f.layer.weight();
  EXPECT_EQ(weight.shape, (std::vector<int64_t>{8, 48}));
  EXPECT_EQ(0, std::memcmp(weight.data, f.model.qweight.data(),
                           f.model.qweight.size() * 4));
}

/// Large enough to be copied by several threads, and no whole pages.
TEST(QuantLinear, LargeLayersAreCopiesOfTheCallersArrays) {
  std::mt19937 random(std::random_device{}());
  int64_t K = 2080, N = 10008;
  model::Layer model = randomLayer(random, 4, 32, K, N, Groups::InOrder, false);
  model::Layer given = model;
  Result<QuantLinear> layer = QuantLinear::create(arraysOf(given, false));
  ASSERT_TRUE(layer.ok()) << layer.status().message();
  std::fill(given.qweight.begin(), given.qweight.end(), 0);
  std::fill(given.qzeros.begin(), given.qzeros.end(), 0);
  std::fill(given.scales.begin(), given.scales.end(), 0);
  EXPECT_EQ(layer->weight().shape, (std::vector<int64_t>{K / 8, N}));
  EXPECT_EQ(0, std::memcmp(layer->weight().data, model.qweight.data(),
                           model.qweight.size() * 4));
  // By rows of x that take out the first row of weights and the last.
  std::vector<uint16_t> x(2 * K), y(2 * N);
  x[0] = x[2 * K - 1] = floatToHalf(1);
  Status status =
      layer->forward(TensorView::dense(x.data(), DType::F16, {2, K}),
                     TensorView::dense(y.data(), DType::F16, {2, N}));
  ASSERT_TRUE(status.ok()) << status.message();
  Codec codec = model.codec();
  for (int64_t row : {0, 1})
    for (int64_t n = 0; n < N; ++n) {
      int64_t k = row * (K - 1), g = k / 32;
      uint32_t code = codec.get(&model.qweight[n], N, k),
               stored = codec.get(&model.qzeros[g * codec.words(N)], 1, n);
      float steps = static_cast<float>(code) -
                    static_cast<float>((stored + 1) & codec.maxCode());
      EXPECT_EQ(halfToFloat(y[row * N + n]),
                halfToFloat(floatToHalf(steps * model.scale(g, n))));
    }
}

TEST(QuantLinear, EmptyLayerGivesItsBias) {
  Fixture f;
  QuantLinear layer = *QuantLinear::empty(4, 32, 64, 48, false);
  ASSERT_TRUE(layer
                  .forward(TensorView::dense(f.x.data(), DType::F16, {2, 64}),
                           TensorView::dense(f.y.data(), DType::F16, {2, 48}))
                  .ok());
  for (int64_t i = 0; i < 2 * 48; ++i)
    EXPECT_EQ(f.y[i] & 0x7fff, 0);
}

/// Code k of column n of words [K * bits / 32, N], bit by bit.
int codeAt(const uint32_t *words, int64_t N, int bits, int64_t k, int64_t n) {
  int code = 0;
  for (int i = 0; i < bits; ++i) {
    int64_t bit = bits * k + i;
    code |= static_cast<int>(words[bit / 32 * N + n] >> (bit % 32) & 1) << i;
  }
  return code;
}

/// pack() by the seed's formula, for plain and act-order groups.
TEST(QuantLinear, PackFollowsTheFormula) {
  std::mt19937 random(11);
  std::normal_distribution<float> normal;
  constexpr int64_t K = 64, N = 32, G = 2;
  for (int bits : Codec::widths)
    for (bool shuffled : {false, true}) {
      int maxq = (1 << bits) - 1;
      std::vector<float> w(N * K), s(N * G), z(N * G), bias(N);
      std::vector<int32_t> gIdx(K);
      for (int64_t k = 0; k < K; ++k)
        gIdx[k] = static_cast<int32_t>(k / 32);
      if (shuffled)
        std::shuffle(gIdx.begin(), gIdx.end(), random);
      for (float &each : w)
        each = normal(random);
      for (float &each : s)
        each = 0.01f + 0.05f * std::abs(normal(random));
      for (float &each : z)
        each = static_cast<float>(random() % (maxq + 1));
      for (float &each : bias)
        each = normal(random);
      QuantLinear layer = *QuantLinear::empty(bits, 32, K, N, true);
      Status status = layer.pack(
          TensorView::dense(w.data(), DType::F32, {N, K}),
          TensorView::dense(s.data(), DType::F32, {N, G}),
          TensorView::dense(z.data(), DType::F32, {N, G}), view(gIdx, {K}),
          TensorView::dense(bias.data(), DType::F32, {N}));
      ASSERT_TRUE(status.ok()) << status.message();
      EXPECT_EQ(layer.actOrder(), shuffled);
      const auto *words = static_cast<const uint32_t *>(layer.weight().data);
      for (int64_t n = 0; n < N; ++n)
        for (int64_t k = 0; k < K; ++k) {
          int64_t g = gIdx[k];
          float scale = s[n * G + g];
          float code = std::rint((w[n * K + k] + z[n * G + g] * scale) /
                                 halfToFloat(floatToHalf(scale)));
          int expected = std::min(std::max(static_cast<int>(code), 0), maxq);
          EXPECT_EQ(codeAt(words, N, bits, k, n), expected);
        }
      // Codes are clamped, so y is the product with what fits.
      std::vector<uint16_t> x(K, floatToHalf(1)), y(N);
      ASSERT_TRUE(layer
                      .forward(TensorView::dense(x.data(), DType::F16, {K}),
                               TensorView::dense(y.data(), DType::F16, {N}))
                      .ok());
      for (int64_t n = 0; n < N; ++n) {
        double sum = halfToFloat(floatToHalf(bias[n]));
        for (int64_t k = 0; k < K; ++k) {
          int64_t g = gIdx[k];
          double code = codeAt(words, N, bits, k, n);
          sum += (code - z[n * G + g]) * halfToFloat(floatToHalf(s[n * G + g]));
        }
        EXPECT_NEAR(halfToFloat(y[n]), sum,
                    2e-3 * std::max(1.0, std::abs(sum)));
      }
    }
}

TEST(QuantLinear, PackRefusesWhatCannotBeStored) {
  constexpr int64_t K = 32, N = 16;
  QuantLinear layer = *QuantLinear::empty(4, -1, K, N, false);
  std::vector<float> w(N * K, 1), s(N, 0.1f), z(N, 8);
  auto pack = [&] {
    return layer.pack(TensorView::dense(w.data(), DType::F32, {N, K}),
                      TensorView::dense(s.data(), DType::F32, {N, 1}),
                      TensorView::dense(z.data(), DType::F32, {N, 1}), {}, {});
  };
  ASSERT_TRUE(pack().ok());
  std::vector<uint32_t> before(static_cast<uint32_t *>(layer.weight().data),
                               static_cast<uint32_t *>(layer.weight().data) +
                                   K / 8 * N);
  z[3] = 16;
  EXPECT_REFUSED(pack(), InvalidArgument, "zeros[3, 0] is 16");
  z[3] = -1;
  EXPECT_REFUSED(pack(), InvalidArgument, "zeros[3, 0] is -1");
  z[3] = 0.5f;
  EXPECT_REFUSED(pack(), InvalidArgument, "zeros[3, 0] is 0.5");
  z[3] = 8;
  s[2] = 0;
  EXPECT_REFUSED(pack(), InvalidArgument, "scales[2, 0] is 0");
  s[2] = 1e9f;
  EXPECT_REFUSED(pack(), InvalidArgument, "scales[2, 0] is");
  s[2] = 0.1f;
  w[33] = NAN;
  EXPECT_REFUSED(pack(), InvalidArgument, "weight[1, 1] is not a number");
  w[33] = 1e30f; // clamped
  EXPECT_TRUE(pack().ok());
  w[33] = 1;
  EXPECT_REFUSED(layer.pack(TensorView::dense(w.data(), DType::F32, {K, N}),
                            TensorView::dense(s.data(), DType::F32, {N, 1}),
                            TensorView::dense(z.data(), DType::F32, {N, 1}), {},
                            {}),
                 InvalidArgument, "weight is 32 x 16, expected 16 x 32");
  EXPECT_TRUE(pack().ok());
  EXPECT_EQ(0,
            std::memcmp(layer.weight().data, before.data(), before.size() * 4));
}

} // namespace
