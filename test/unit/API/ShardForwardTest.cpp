//===- ShardForwardTest.cpp - Shards on one device give the whole ---------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What ranks would compute, side by side or added up, against float64.
//
//===----------------------------------------------------------------------===//

#include "Refused.h"
#include "TestCheckpoint.h"
#include "TestLayer.h"
#include "llvm/ADT/ArrayRef.h"
#include <algorithm>
#include <cstring>
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;

namespace {

/// A random layer, x in fp16, and y in float64.
struct Whole {
  static constexpr int64_t M = 5;
  std::mt19937 random{std::random_device{}()};
  int64_t K, N;
  model::Layer model;
  QuantLinear layer;
  std::vector<uint16_t> x;
  std::vector<double> exact;

  Whole(int bits, int64_t groupSize, int64_t K, int64_t N, Groups groups)
      : K(K), N(N),
        model(randomLayer(random, bits, groupSize, K, N, groups, true)),
        layer(*QuantLinear::create(arraysOf(model, true))), x(M * K),
        exact(M * N) {
    std::normal_distribution<float> normal;
    for (uint16_t &each : x)
      each = floatToHalf(normal(random));
    std::vector<double> column(K);
    for (int64_t n = 0; n < N; ++n) {
      model::weightColumn(model, n, column);
      for (int64_t m = 0; m < M; ++m) {
        double sum = model.bias[n];
        for (int64_t k = 0; k < K; ++k)
          sum += halfToFloat(x[m * K + k]) * column[k];
        exact[m * N + n] = sum;
      }
    }
  }
  /// y of `part` for the columns of x that it takes.
  std::vector<uint16_t> run(const QuantLinear &part) {
    int64_t partK = part.inFeatures(), partN = part.outFeatures();
    llvm::ArrayRef<int32_t> rows = part.inputRows();
    std::vector<uint16_t> in(M * partK), out(M * partN);
    for (int64_t m = 0; m < M; ++m)
      for (int64_t k = 0; k < partK; ++k)
        in[m * partK + k] = x[m * K + (rows.empty() ? k : rows[k])];
    Status status =
        part.forward(TensorView::dense(in.data(), DType::F16, {M, partK}),
                     TensorView::dense(out.data(), DType::F16, {M, partN}));
    EXPECT_TRUE(status.ok()) << status.message();
    return out;
  }
};

struct Case {
  int bits;
  int64_t groupSize, K, N;
};
const Case cases[] = {{4, 32, 256, 96},
                      {4, 48, 192, 88},  // cuts inside groups
                      {8, -1, 120, 44},  // one group, unequal parts
                      {2, 64, 320, 112}, // 5 groups
                      {4, 128, 384, 64}};

TEST(Shard, ColumnsSideBySideAreTheWhole) {
  for (const Case &each : cases)
    for (Groups groups : {Groups::InOrder, Groups::Shuffled}) {
      Whole whole(each.bits, each.groupSize, each.K, each.N, groups);
      std::vector<uint16_t> all = whole.run(whole.layer);
      for (int world : {2, 3}) {
        int64_t at = 0;
        for (int rank = 0; rank < world; ++rank) {
          QuantLinear part = *whole.layer.shard(rank, world, ShardAxis::Column);
          EXPECT_TRUE(part.hasBias());
          std::vector<uint16_t> y = whole.run(part);
          int64_t partN = part.outFeatures();
          for (int64_t m = 0; m < Whole::M; ++m)
            for (int64_t n = 0; n < partN; ++n)
              EXPECT_EQ(y[m * partN + n], all[m * each.N + at + n]);
          at += partN;
        }
        EXPECT_EQ(at, each.N);
      }
    }
}

TEST(Shard, RowsAddUpToTheWhole) {
  for (const Case &each : cases)
    for (Groups groups : {Groups::InOrder, Groups::Shuffled})
      for (int world : {2, 3, 4}) {
        Whole whole(each.bits, each.groupSize, each.K, each.N, groups);
        std::vector<double> sum(whole.exact.size());
        int64_t rows = 0;
        for (int rank = 0; rank < world; ++rank) {
          QuantLinear part = *whole.layer.shard(rank, world, ShardAxis::Row);
          EXPECT_EQ(part.hasBias(), rank == 0);
          rows += part.inFeatures();
          std::vector<uint16_t> y = whole.run(part);
          for (size_t i = 0; i < sum.size(); ++i)
            sum[i] += halfToFloat(y[i]);
        }
        EXPECT_EQ(rows, each.K);
        Error error;
        for (size_t i = 0; i < sum.size(); ++i)
          error.add(sum[i], whole.exact[i]);
        // Each part is rounded to fp16 once.
        EXPECT_LE(error.relative(), 6e-4)
            << each.bits << " bits, K " << each.K << ", world " << world;
      }
}

TEST(Shard, PartsOfPartsNameRowsOfTheWhole) {
  Whole whole(4, 32, 256, 64, Groups::Shuffled);
  std::vector<double> sum(whole.exact.size());
  for (int outer = 0; outer < 2; ++outer) {
    QuantLinear half = *whole.layer.shard(outer, 2, ShardAxis::Row);
    for (int inner = 0; inner < 3; ++inner) {
      std::vector<uint16_t> y =
          whole.run(*half.shard(inner, 3, ShardAxis::Row));
      for (size_t i = 0; i < sum.size(); ++i)
        sum[i] += halfToFloat(y[i]);
    }
  }
  Error error;
  for (size_t i = 0; i < sum.size(); ++i)
    error.add(sum[i], whole.exact[i]);
  EXPECT_LE(error.relative(), 8e-4);
}

TEST(Fuse, GivesTheLayersSideBySide) {
  Whole q(4, 32, 128, 64, Groups::Shuffled);
  model::Layer other = randomLayer(q.random, 4, 32, 128, 24, Groups::InOrder,
                                   /*bias=*/false);
  other.gIdx = q.model.gIdx;
  QuantLinear v = *QuantLinear::create(arraysOf(other, true));
  QuantLinear fused = *QuantLinear::fuse({q.layer, v, q.layer});
  EXPECT_EQ(fused.outFeatures(), 64 + 24 + 64);
  EXPECT_TRUE(fused.actOrder());
  std::vector<uint16_t> y = q.run(fused), yq = q.run(q.layer), yv = q.run(v);
  for (int64_t m = 0; m < Whole::M; ++m) {
    EXPECT_EQ(0, std::memcmp(&y[m * 152], &yq[m * 64], 64 * 2));
    EXPECT_EQ(0, std::memcmp(&y[m * 152 + 64], &yv[m * 24], 24 * 2));
    EXPECT_EQ(0, std::memcmp(&y[m * 152 + 88], &yq[m * 64], 64 * 2));
  }
  // Cut first, then fused: a rank's part of both.
  QuantLinear part =
      *QuantLinear::fuse({*q.layer.shard(1, 2, ShardAxis::Column),
                          *v.shard(1, 2, ShardAxis::Column)});
  std::vector<uint16_t> yPart = q.run(part);
  int64_t partN = part.outFeatures(), vN = partN - 32;
  for (int64_t m = 0; m < Whole::M; ++m) {
    EXPECT_EQ(0, std::memcmp(&yPart[m * partN], &yq[m * 64 + 32], 32 * 2));
    EXPECT_EQ(
        0, std::memcmp(&yPart[m * partN + 32], &yv[m * 24 + 24 - vN], vN * 2));
  }
  Status status = QuantLinear::fuse({*q.layer.shard(0, 2, ShardAxis::Row),
                                     *q.layer.shard(1, 2, ShardAxis::Row)})
                      .status();
  EXPECT_NE(status.message().find("layer 1 to fuse takes other columns of x"),
            std::string::npos)
      << status.message();
  EXPECT_FALSE(QuantLinear::fuse({}).ok());
}

TEST(Fuse, LoadsLayersSideBySide) {
  Whole whole(4, 32, 128, 64, Groups::Shuffled);
  model::Layer q = whole.model;
  q.bias.clear();
  model::Layer v =
      randomLayer(whole.random, 4, 32, 128, 24, Groups::InOrder, false);
  v.gIdx = q.gIdx;
  model::Layer other = v;
  std::reverse(other.gIdx.begin(), other.gIdx.end());
  TestFolder files;
  writeCheckpoint(files, {{"a.q", q}, {"a.v", v}, {"a.other", other}});
  Result<QuantLinear> fused =
      QuantLinear::loadFused(files.path(), {"a.q", "a.v"});
  ASSERT_TRUE(fused.ok()) << fused.status().message();
  EXPECT_EQ(fused->outFeatures(), 88);
  QuantLinear expected =
      *QuantLinear::fuse({*QuantLinear::load(files.path(), "a.q"),
                          *QuantLinear::load(files.path(), "a.v")});
  EXPECT_EQ(whole.run(*fused), whole.run(expected));
  Result<Checkpoint> open = Checkpoint::open(files.path());
  ASSERT_TRUE(open.ok()) << open.status().message();
  EXPECT_EQ(open->layerNames(),
            (std::vector<std::string>{"a.other", "a.q", "a.v"}));
  EXPECT_EQ(whole.run(*QuantLinear::loadFused(*open, {"a.q", "a.v"})),
            whole.run(expected));
  Checkpoint copy = *open;
  *open = Checkpoint();
  EXPECT_EQ(whole.run(*QuantLinear::load(copy, "a.q")),
            whole.run(*QuantLinear::load(files.path(), "a.q")));
  EXPECT_REFUSED(QuantLinear::load(copy, "a.k").status(), NotFound,
                 "there is no layer 'a.k'");
  EXPECT_REFUSED(QuantLinear::load(*open, "a.q").status(), InvalidArgument,
                 "the checkpoint holds nothing");
  EXPECT_TRUE(open->layerNames().empty());
  EXPECT_REFUSED(Checkpoint::open(files.path(), "gguf").status(),
                 InvalidArgument, "gguf");
  EXPECT_REFUSED(
      QuantLinear::loadFused(files.path(), {"a.q", "a.other"}).status(),
      InvalidArgument, "layer 1 to fuse has g_idx[");
  EXPECT_REFUSED(QuantLinear::loadFused(files.path(), {"a.q", "a.k"}).status(),
                 NotFound, "there is no layer 'a.k'");
  EXPECT_REFUSED(QuantLinear::loadFused(files.path(), {}).status(),
                 InvalidArgument, "there are no layers to fuse");
}

} // namespace
