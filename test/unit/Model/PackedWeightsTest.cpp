//===- PackedWeightsTest.cpp - Packed layers against the layout -----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Model/PackedWeights.h"
#include "../API/TestLayer.h"
#include "Layout/PackedOrder.h"
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::model;
using namespace nibble::test;
using layout::PackedOrder;

namespace {

uint32_t codeOf(const Layer &layer, int64_t k, int64_t n) {
  return layer.codec().get(&layer.qweight[n], layer.outFeatures, k);
}

/// Expects `packed` to hold W[k, n] = `code(k, n)` where the layout says, and
/// nothing else.
template <typename F>
void expectCodes(const PackedWeights &packed, const Layer &layer, F code) {
  PackedOrder order(layer.bits);
  int64_t columns = order.packedColumns(layer.outFeatures);
  std::vector<int32_t> expected(order.packedRows(layer.inFeatures) * columns);
  for (const PackedOrder::Plane &plane : order.planes())
    for (int64_t k = 0; k < layer.inFeatures; ++k)
      for (int64_t n = 0; n < layer.outFeatures; ++n) {
        PackedOrder::Place place = order.placeOf(plane, k, n);
        uint32_t bits =
            code(k, n) >> plane.firstBit & ((1u << plane.width) - 1);
        expected[place.row * columns + place.column] |=
            static_cast<int32_t>(bits << place.bit);
      }
  EXPECT_EQ(packed.codes, expected);
}

TEST(PackedWeights, CodesAreWhereTheLayoutSays) {
  std::mt19937 random(std::random_device{}());
  for (int bits : Codec::widths)
    for (auto [k, n] : {std::pair(8, 4), {3, 1}, {11, 7}, {1, 1}}) {
      // In units of the checkpoint: from less than a packed unit to several,
      // and ragged.
      int64_t P = Codec{bits}.unitCodes(), K = k * P, N = n * P;
      Layer layer = randomLayer(random, bits, P, K, N, Groups::InOrder, false);
      ASSERT_TRUE(checkLayer(layer).ok());
      Result<PackedWeights> packed = packWeights(layer);
      ASSERT_TRUE(packed.ok()) << packed.status().message();
      EXPECT_TRUE(packed->permutation.empty());
      EXPECT_EQ(packed->groupRows, P);
      expectCodes(*packed, layer,
                  [&](int64_t k, int64_t n) { return codeOf(layer, k, n); });
    }
}

TEST(PackedWeights, ScalesAndZerosOfATileLieTogether) {
  std::mt19937 random(std::random_device{}());
  for (int bits : Codec::widths)
    for (int64_t words : {2, 3, 8}) {
      int64_t P = Codec{bits}.unitCodes(), K = 8 * P, N = words * P;
      Layer layer =
          randomLayer(random, bits, 2 * P, K, N, Groups::InOrder, false);
      BulkVector<uint16_t> packed = packScalesAndZeros(layer);
      int64_t tiles = (N + 15) / 16;
      ASSERT_EQ(static_cast<int64_t>(packed.size()), 4 * tiles * 8 * 4);
      for (int64_t g = 0; g < 4; ++g)
        for (int64_t tile = 0; tile < tiles; ++tile)
          for (int64_t r = 0; r < 8; ++r)
            for (int64_t half = 0; half < 2; ++half) {
              int64_t n = 16 * tile + r + 8 * half;
              const uint16_t *at =
                  &packed[((g * tiles + tile) * 8 + r) * 4 + half];
              if (n >= N) {
                EXPECT_EQ(at[0], 0);
                EXPECT_EQ(at[2], 0);
                continue;
              }
              EXPECT_EQ(at[0], layer.scales[g * N + n]);
              uint32_t zero =
                  layer.codec().get(&layer.qzeros[g * layer.codec().words(N)],
                                    1, n) +
                  1;
              EXPECT_EQ(halfToFloat(at[2]),
                        static_cast<float>(zero % (1u << bits)));
            }
    }
}

TEST(PackedWeights, ActOrderSortsRowsByGroup) {
  std::mt19937 random(std::random_device{}());
  for (int bits : Codec::widths) {
    int64_t P = Codec{bits}.unitCodes(), K = 20 * P, N = 3 * P,
            groupSize = 5 * P;
    Layer layer =
        randomLayer(random, bits, groupSize, K, N, Groups::Shuffled, false);
    ASSERT_TRUE(checkLayer(layer).ok());
    ASSERT_TRUE(layer.actOrder);
    Result<SortedLayer> sorted = sortRowsByGroup(layer);
    ASSERT_TRUE(sorted.ok()) << sorted.status().message();
    ASSERT_TRUE(checkLayer(sorted->layer).ok());
    EXPECT_FALSE(sorted->layer.actOrder);
    for (int64_t k = 0; k < K; ++k) {
      int32_t old = sorted->permutation[k];
      EXPECT_EQ(layer.gIdx[old], k / groupSize);
      // Stable, and so a permutation: rows of a group in their old order.
      if (k % groupSize != 0)
        EXPECT_LT(sorted->permutation[k - 1], old);
      for (int64_t n = 0; n < N; ++n)
        ASSERT_EQ(codeOf(sorted->layer, k, n), codeOf(layer, old, n));
    }
    Result<PackedWeights> packed = packWeights(layer);
    ASSERT_TRUE(packed.ok());
    EXPECT_EQ(packed->permutation, sorted->permutation);
    EXPECT_EQ(packed->codes, packWeights(sorted->layer)->codes);
    EXPECT_EQ(packed->scalesAndZeros, packScalesAndZeros(layer));
    expectCodes(*packed, layer, [&](int64_t k, int64_t n) {
      return codeOf(layer, packed->permutation[k], n);
    });
  }
}

TEST(PackedWeights, RefusesUnevenGroups) {
  std::mt19937 random(std::random_device{}());
  Layer layer = randomLayer(random, 4, 8, 32, 16, Groups::InOrder, false);
  layer.gIdx[7] = 2;
  ASSERT_TRUE(checkLayer(layer).ok());
  Result<PackedWeights> packed = packWeights(layer);
  ASSERT_FALSE(packed.ok());
  EXPECT_EQ(packed.status().code(), ErrorCode::Unsupported);
  EXPECT_EQ(packed.status().message(),
            "group 0 has 7 rows, not 8; the packed order takes groups of equal "
            "size");
  EXPECT_FALSE(sortRowsByGroup(layer).ok());
}

TEST(PackedWeights, TakesScalesThatFp16Holds) {
  std::mt19937 random(9);
  Layer layer = randomLayer(random, 4, 32, 64, 32, Groups::InOrder, false);
  EXPECT_EQ(packedGroupRows(layer), 32);
  EXPECT_TRUE(packWeights(layer).ok());
  layer.setScales(std::vector<float>(2 * 32, 0.1f));
  EXPECT_EQ(packedGroupRows(layer), 0);
  EXPECT_EQ(packWeights(layer).status().message(),
            "scales are f32; the packed order takes those that fp16 holds");
}

} // namespace
