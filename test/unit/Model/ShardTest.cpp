//===- ShardTest.cpp - Parts of layers keep their weights -----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights, scales and zero points of random layers, cut and put together.
//
//===----------------------------------------------------------------------===//

#include "Model/Shard.h"
#include "../API/TestLayer.h"
#include <gtest/gtest.h>
#include <random>
#include <set>

using namespace nibble;
using namespace nibble::model;
using namespace nibble::test;

namespace {

/// W [K, N], row-major.
std::vector<double> weights(const Layer &layer) {
  int64_t K = layer.inFeatures, N = layer.outFeatures;
  std::vector<double> all(K * N), column(K);
  for (int64_t n = 0; n < N; ++n) {
    weightColumn(layer, n, column);
    for (int64_t k = 0; k < K; ++k)
      all[k * N + n] = column[k];
  }
  return all;
}

struct Sizes {
  int bits;
  int64_t groupSize, K, N;
};
/// Cuts fall on groups, inside groups, and on unequal parts.
const Sizes allSizes[] = {{4, 32, 128, 64},  {4, 48, 96, 40},  {8, -1, 60, 36},
                          {2, 16, 96, 112},  {2, 64, 192, 80}, {8, 12, 132, 20},
                          {4, 128, 128, 56}, {3, 48, 192, 128}};

template <typename CheckT> void forAll(CheckT check) {
  std::mt19937 random(std::random_device{}());
  for (const Sizes &sizes : allSizes)
    for (Groups groups : {Groups::InOrder, Groups::Shuffled})
      for (int world : {1, 2, 3, 4}) {
        SCOPED_TRACE(testing::Message()
                     << sizes.bits << " bits, K " << sizes.K << ", N "
                     << sizes.N << ", groups of " << sizes.groupSize
                     << (groups == Groups::Shuffled ? " shuffled" : "")
                     << ", world " << world);
        Layer layer = randomLayer(random, sizes.bits, sizes.groupSize, sizes.K,
                                  sizes.N, groups, true,
                                  // that fp16 does not hold
                                  sizes.bits == 3 ? DType::F32 : DType::F16);
        ASSERT_TRUE(checkLayer(layer).ok());
        check(layer, world);
      }
}

TEST(Shard, ColumnsLieSideBySide) {
  forAll([](Layer &layer, int world) {
    std::vector<double> whole = weights(layer);
    std::vector<Layer> parts;
    int64_t at = 0;
    for (int rank = 0; rank < world; ++rank) {
      Result<LayerShard> shard =
          shardLayer(layer, rank, world, ShardAxis::Column);
      ASSERT_TRUE(shard.ok()) << shard.status().message();
      const Layer &part = shard->layer;
      EXPECT_TRUE(shard->inputRows.empty());
      EXPECT_EQ(part.actOrder, layer.actOrder);
      std::vector<double> own = weights(part);
      for (int64_t k = 0; k < layer.inFeatures; ++k)
        for (int64_t n = 0; n < part.outFeatures; ++n)
          ASSERT_EQ(own[k * part.outFeatures + n],
                    whole[k * layer.outFeatures + at + n]);
      for (int64_t n = 0; n < part.outFeatures; ++n)
        ASSERT_EQ(part.bias[n], layer.bias[at + n]);
      at += part.outFeatures;
      parts.push_back(part);
    }
    EXPECT_EQ(at, layer.outFeatures);
    // And fused, they are the layer again.
    std::vector<const Layer *> pointers;
    for (const Layer &part : parts)
      pointers.push_back(&part);
    Result<Layer> fused = fuseLayers(pointers);
    ASSERT_TRUE(fused.ok()) << fused.status().message();
    EXPECT_EQ(fused->qweight, layer.qweight);
    EXPECT_EQ(fused->qzeros, layer.qzeros);
    EXPECT_EQ(fused->scales, layer.scales);
    EXPECT_EQ(fused->wideScales, layer.wideScales);
    EXPECT_EQ(fused->bias, layer.bias);
    EXPECT_EQ(fused->gIdx, layer.gIdx);
  });
}

TEST(Shard, RowsAreEachInOneShard) {
  forAll([](Layer &layer, int world) {
    std::vector<double> whole = weights(layer);
    int64_t N = layer.outFeatures;
    std::set<int32_t> seen;
    int64_t begin = 0;
    for (int rank = 0; rank < world; ++rank) {
      Result<LayerShard> shard = shardLayer(layer, rank, world, ShardAxis::Row);
      ASSERT_TRUE(shard.ok()) << shard.status().message();
      const Layer &part = shard->layer;
      ASSERT_EQ(shard->inputRows.size(), size_t(part.inFeatures));
      EXPECT_EQ(part.bias.empty(), rank != 0);
      // Scales of no other group than its own.
      EXPECT_LE(part.groups,
                part.inFeatures / std::min(layer.groupSize, part.inFeatures) +
                    2);
      EXPECT_EQ(part.scaleBytes().size(),
                size_t(part.groups * N) * dtypeSize(part.scaleType()));
      std::vector<double> own = weights(part);
      for (int64_t k = 0; k < part.inFeatures; ++k) {
        int32_t row = shard->inputRows[k];
        EXPECT_TRUE(seen.insert(row).second) << row;
        for (int64_t n = 0; n < N; ++n)
          ASSERT_EQ(own[k * N + n], whole[row * N + n]);
      }
      if (!layer.actOrder)
        EXPECT_TRUE(
            std::is_sorted(shard->inputRows.begin(), shard->inputRows.end()));
      // Sorted, groups are in order; so they are in a part of whole groups.
      if (part.inFeatures % layer.groupSize == 0 &&
          begin % layer.groupSize == 0)
        EXPECT_FALSE(part.actOrder);
      begin += part.inFeatures;
    }
    EXPECT_EQ(seen.size(), size_t(layer.inFeatures));
  });
}

TEST(Shard, RefusesRanksThatAreNotThere) {
  std::mt19937 random(3);
  Layer layer = randomLayer(random, 4, 32, 32, 64, Groups::InOrder, false);
  auto refused = [&](int rank, int world, ShardAxis axis, const char *message) {
    Status status = shardLayer(layer, rank, world, axis).status();
    EXPECT_EQ(status.code(), ErrorCode::InvalidArgument);
    EXPECT_NE(status.message().find(message), std::string::npos)
        << status.message();
  };
  refused(0, 0, ShardAxis::Row, "there is no rank 0 of 0");
  refused(2, 2, ShardAxis::Row, "there is no rank 2 of 2");
  refused(-1, 2, ShardAxis::Column, "there is no rank -1 of 2");
  refused(0, 5, ShardAxis::Row,
          "infeatures is 32, 4 times the least part of 8, and cannot be cut "
          "for 5 ranks");
  refused(0, 9, ShardAxis::Column, "outfeatures is 64");
}

TEST(Fuse, RefusesLayersThatDiffer) {
  std::mt19937 random(5);
  Layer first = randomLayer(random, 4, 32, 64, 16, Groups::InOrder, true);
  auto refused = [&](Layer second, const char *message) {
    ASSERT_TRUE(checkLayer(second).ok());
    Status status = fuseLayers({&first, &second}).status();
    EXPECT_EQ(status.code(), ErrorCode::InvalidArgument);
    EXPECT_NE(status.message().find(message), std::string::npos)
        << status.message();
  };
  refused(randomLayer(random, 8, 32, 64, 16, Groups::InOrder, true),
          "layer 1 to fuse has bits 8, and layer 0 has 4");
  refused(randomLayer(random, 4, 16, 64, 16, Groups::InOrder, true),
          "layer 1 to fuse has groupsize 16, and layer 0 has 32");
  refused(randomLayer(random, 4, 32, 96, 16, Groups::InOrder, true),
          "layer 1 to fuse has infeatures 96, and layer 0 has 64");
  Layer other = first;
  std::swap(other.gIdx[7], other.gIdx[40]);
  refused(other, "layer 1 to fuse has g_idx[7] 1, and layer 0 has 0");
  EXPECT_FALSE(fuseLayers({}).ok());
}

TEST(Fuse, LayersWithoutABiasGetZeros) {
  std::mt19937 random(6);
  Layer first = randomLayer(random, 4, 32, 64, 16, Groups::InOrder, false);
  Layer second = randomLayer(random, 4, 32, 64, 24, Groups::InOrder, true);
  Result<Layer> fused = fuseLayers({&first, &second});
  ASSERT_TRUE(fused.ok()) << fused.status().message();
  ASSERT_EQ(fused->bias.size(), 40u);
  for (int64_t n = 0; n < 40; ++n)
    EXPECT_EQ(fused->bias[n], n < 16 ? 0 : second.bias[n - 16]);
}

} // namespace
