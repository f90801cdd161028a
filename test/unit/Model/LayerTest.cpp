//===- LayerTest.cpp - The canonical layer and its packing ----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Model/GptqTensors.h"
#include "Model/Pack.h"
#include "Support/Half.h"
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <random>

using namespace nibble;
using namespace nibble::model;

namespace {

std::mt19937 &random() {
  static std::mt19937 engine(std::random_device{}());
  return engine;
}

/// Bit `bit` of a line of words.
uint32_t bitOf(const std::vector<int32_t> &line, int64_t bit) {
  return static_cast<uint32_t>(line[bit / 32]) >> (bit % 32) & 1;
}

TEST(Codec, CodesAreAStreamOfBits) {
  for (int bits : Codec::widths) {
    Codec codec{bits};
    int64_t count = 3 * codec.unitCodes();
    std::vector<int32_t> line(codec.words(count));
    EXPECT_EQ(codec.codes(static_cast<int64_t>(line.size())), count);
    std::vector<uint32_t> codes(count);
    for (int64_t i = 0; i < count; ++i) {
      codes[i] = random()() & codec.maxCode();
      codec.put(line.data(), 1, i, codes[i]);
    }
    for (int64_t i = 0; i < count; ++i) {
      EXPECT_EQ(codec.get(line.data(), 1, i), codes[i]);
      for (int j = 0; j < bits; ++j)
        EXPECT_EQ(bitOf(line, bits * i + j), codes[i] >> j & 1);
    }
  }
}

/// The table of nibble/Codec.h.
TEST(Codec, ThreeBitsSplitTwoCodes) {
  Codec codec{3};
  EXPECT_EQ(codec.unitCodes(), 32);
  std::vector<int32_t> words(3);
  codec.put(words.data(), 1, 10, 7);
  EXPECT_EQ(words,
            (std::vector<int32_t>{static_cast<int32_t>(3u << 30), 1, 0}));
  words.assign(3, 0);
  codec.put(words.data(), 1, 21, 7);
  EXPECT_EQ(words,
            (std::vector<int32_t>{0, static_cast<int32_t>(1u << 31), 3}));
}

TEST(Layer, SizesAreUnits) {
  EXPECT_EQ(*checkSizes(3, -1, 64, 32), 64);
  EXPECT_EQ(*checkSizes(4, 48, 64, 8), 48); // the last group is short
  EXPECT_EQ(*checkSizes(4, 128, 64, 8), 64);
  struct {
    int64_t bits, group, K, N;
    const char *message;
  } cases[] = {
      {5, -1, 64, 64, "bits is 5; nibble takes 2, 3, 4 and 8"},
      {3, -1, 48, 32, "infeatures is 48; it must be a positive multiple of 32"},
      {3, -1, 32, 16, "outfeatures is 16"},
      {2, -1, 8, 16, "infeatures is 8; it must be a positive multiple of 16"},
      {4, 0, 64, 64, "groupsize is 0; it must be -1 or positive"},
      {4, -2, 64, 64, "groupsize is -2"},
      {4, -1, int64_t(1) << 31, 64,
       "infeatures is 2147483648; nibble takes at most 1073741824"},
      {4, -1, 64, (int64_t(1) << 30) + 8,
       "outfeatures is 1073741832; nibble takes at most 1073741824"},
      {8, -1, 0, 4, "infeatures is 0"},
  };
  for (const auto &each : cases) {
    Result<int64_t> rows = checkSizes(each.bits, each.group, each.K, each.N);
    ASSERT_FALSE(rows.ok()) << each.message;
    EXPECT_NE(rows.status().message().find(each.message), std::string::npos)
        << rows.status().message();
  }
}

TEST(Layer, ChecksNameTheMember) {
  Layer good = *emptyLayer(4, 48, 64, 8, true);
  EXPECT_EQ(good.groups, 2);
  ASSERT_TRUE(checkLayer(good).ok());
  EXPECT_FALSE(good.actOrder);
  auto refused = [&](auto change) {
    Layer layer = good;
    change(layer);
    return checkLayer(layer).message();
  };
  EXPECT_EQ(refused([](Layer &l) { l.groups = 65; }),
            "there are 65 groups for 64 rows");
  EXPECT_EQ(refused([](Layer &l) {
              l.groupSize = 80;
              l.gIdx.assign(64, 0);
            }),
            "there are 2 groups; groupsize 64 and infeatures 64 need 1");
  EXPECT_EQ(refused([](Layer &l) { l.qweight.pop_back(); }),
            "qweight has 63 elements, expected 64");
  EXPECT_EQ(refused([](Layer &l) { l.qzeros.push_back(0); }),
            "qzeros has 3 elements, expected 2");
  EXPECT_EQ(refused([](Layer &l) { l.scales.clear(); }),
            "scales has 0 elements, expected 16");
  EXPECT_EQ(refused([](Layer &l) { l.wideScales.push_back(1); }),
            "scales has 17 elements, expected 16");
  EXPECT_EQ(refused([](Layer &l) { l.gIdx.pop_back(); }),
            "g_idx has 63 elements, expected 64");
  EXPECT_EQ(refused([](Layer &l) { l.bias.pop_back(); }),
            "bias has 7 elements, expected 8");
  EXPECT_EQ(refused([](Layer &l) { l.gIdx[3] = 2; }),
            "g_idx[3] is 2; there are 2 groups");
  EXPECT_EQ(refused([](Layer &l) { l.bits = 6; }),
            "bits is 6; nibble takes 2, 3, 4 and 8");
  std::swap(good.gIdx[0], good.gIdx[63]);
  ASSERT_TRUE(checkLayer(good).ok());
  EXPECT_TRUE(good.actOrder);
}

TEST(Layer, ScalesAreKeptWithoutLoss) {
  Layer layer;
  layer.outFeatures = 2;
  auto keeps = [&](float a, float b, DType type) {
    layer.setScales({a, b});
    EXPECT_EQ(layer.scaleType(), type) << a << " " << b;
    EXPECT_EQ(layer.scaleBytes().size(), 2 * dtypeSize(type));
    EXPECT_EQ(std::bit_cast<uint32_t>(layer.scale(0, 0)),
              std::bit_cast<uint32_t>(a));
    EXPECT_EQ(std::bit_cast<uint32_t>(layer.scale(0, 1)),
              std::bit_cast<uint32_t>(b));
  };
  keeps(0.5f, -0.0f, DType::F16);
  keeps(65504, INFINITY, DType::F16);
  keeps(bfloatToFloat(0x3c1b), bfloatToFloat(0x3b7f), DType::F16); // bf16 fits
  keeps(0.5f, 0.1f, DType::F32);      // 0.1 is no fp16
  keeps(0.5f, 1e30f, DType::F32);     // nor is what fp16 makes infinite
  keeps(0.5f, 0x1p-126f, DType::F32); // or 0
  layer.setScales({NAN, 1});
  EXPECT_EQ(layer.scaleType(), DType::F16);
  EXPECT_TRUE(std::isnan(layer.scale(0, 0)));
}

TEST(Pack, FitsAndPacksAShortLastGroup) {
  constexpr int64_t K = 96, N = 32, group = 40, G = 3;
  std::normal_distribution<float> normal;
  std::vector<float> weight(N * K), scales, zeros;
  for (float &each : weight)
    each = normal(random());
  for (int bits : Codec::widths)
    for (bool symmetric : {false, true}) {
      scales.clear();
      zeros.clear();
      fitScales(weight, K, N, bits, group, symmetric, scales, zeros);
      ASSERT_EQ(scales.size(), static_cast<size_t>(N * G));
      Layer layer = *emptyLayer(bits, group, K, N, false);
      Status status = packLayer(layer, weight, scales, zeros, {}, {});
      ASSERT_TRUE(status.ok()) << status.message();
      std::vector<double> column(K);
      for (int64_t n = 0; n < N; ++n) {
        weightColumn(layer, n, column);
        for (int64_t k = 0; k < K; ++k) {
          float scale = scales[n * G + k / group];
          // Half a step, the scale's own rounding, and the end of a symmetric
          // range that has no code.
          double bound = (symmetric ? 1.02 : 0.52) * scale + 2e-3;
          ASSERT_NEAR(column[k], weight[n * K + k], bound);
        }
      }
    }
}

TEST(Pack, RefusesWrongSizes) {
  Layer layer = *emptyLayer(4, -1, 32, 8, false);
  std::vector<float> w(32 * 8), s(8, 1), z(8);
  EXPECT_TRUE(packLayer(layer, w, s, z, {}, {}).ok());
  std::vector<float> few(3);
  std::vector<int32_t> gIdx(5);
  EXPECT_EQ(packLayer(layer, few, s, z, {}, {}).message(),
            "weight has 3 elements, expected 256");
  EXPECT_EQ(packLayer(layer, w, few, z, {}, {}).message(),
            "scales has 3 elements, expected 8");
  EXPECT_EQ(packLayer(layer, w, s, few, {}, {}).message(),
            "zeros has 3 elements, expected 8");
  EXPECT_EQ(packLayer(layer, w, s, z, gIdx, {}).message(),
            "g_idx has 5 elements, expected 32");
  EXPECT_EQ(packLayer(layer, w, s, z, {}, few).message(),
            "bias has 3 elements, expected 8");
  gIdx.assign(32, 1);
  EXPECT_EQ(packLayer(layer, w, s, z, gIdx, {}).message(),
            "g_idx[0] is 1; there are 1 groups");
  z[3] = 16;
  EXPECT_EQ(packLayer(layer, w, s, z, {}, {}).message(),
            "zeros[3, 0] is 16.000000; a zero point is a whole number in [0, "
            "15]");
  z[3] = 0;
  s[2] = 1e9f;
  EXPECT_EQ(packLayer(layer, w, s, z, {}, {}).message(),
            "scales[2, 0] is 1000000000.000000, which fp16 does not hold as a "
            "number other than 0");
  s[2] = 1;
  w[33] = NAN;
  EXPECT_EQ(packLayer(layer, w, s, z, {}, {}).message(),
            "weight[1, 1] is not a number");
  layer.bits = 7;
  EXPECT_EQ(packLayer(layer, w, s, z, {}, {}).message(),
            "bits is 7; nibble takes 2, 3, 4 and 8");
  EXPECT_FALSE(emptyLayer(4, -1, 31, 8, false).ok());
}

TEST(GptqTensors, WritesNumbersWithoutLoss) {
  for (int bits : Codec::widths) {
    Codec codec{bits};
    int64_t N = codec.unitCodes();
    Layer layer = *emptyLayer(bits, -1, N, N, true);
    for (int32_t &word : layer.qzeros)
      word = static_cast<int32_t>(random()());
    layer.setScales(std::vector<float>(N, 0.1f));
    layer.bias.assign(N, 0.25f);
    std::vector<OwnedTensor> v1 = gptqTensors("a", layer, Format::Gptq),
                             v2 = gptqTensors("a", layer, Format::GptqV2);
    ASSERT_EQ(v1.size(), 5u);
    EXPECT_EQ(v1[0].name, "a.qweight");
    EXPECT_EQ(v1[2].dtype, "F32"); // 0.1 is no fp16
    EXPECT_EQ(v1[4].dtype, "F16"); // 0.25 is one
    EXPECT_EQ(v1[4].bytes.size(), static_cast<size_t>(2 * N));
    EXPECT_EQ(v1[1].view().bytes, llvm::ArrayRef(v1[1].bytes));
    std::vector<int32_t> zeros(layer.qzeros.size());
    std::memcpy(zeros.data(), v2[1].bytes.data(), v2[1].bytes.size());
    for (int64_t n = 0; n < N; ++n)
      EXPECT_EQ(codec.get(zeros.data(), 1, n),
                (codec.get(layer.qzeros.data(), 1, n) + 1) & codec.maxCode());
    layer.qzeros = zeros;
    EXPECT_EQ(shiftedZeros(layer, -1),
              std::vector<int32_t>(
                  reinterpret_cast<const int32_t *>(v1[1].bytes.data()),
                  reinterpret_cast<const int32_t *>(v1[1].bytes.data()) +
                      zeros.size()));
    layer.bias.clear();
    EXPECT_EQ(gptqTensors("a", layer, Format::Gptq).size(), 4u);
  }
}

} // namespace
