//===- PackWeightsTest.cpp - Weights packed by a kernel and by the host ---===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../API/TestLayer.h"
#include "Layout/PackedOrder.h"
#include "Model/PackedWeights.h"
#include "nibble/JitKernel.h"
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;
using layout::PackedOrder;

namespace {

/// Packs `layer` by the kernel, with blocks of `unitsK` by `unitsN` units.
void expectKernelAgrees(const model::Layer &layer, int64_t unitsK,
                        int64_t unitsN, const std::string &facts) {
  PackedOrder order(layer.bits);
  int64_t P = 32 / layer.bits, K = layer.inFeatures, N = layer.outFeatures;
  int64_t rows = order.packedRows(K), columns = order.packedColumns(N);
  CompileRequest request;
  request.kernel = "pack_weights";
  request.config =
      "BITS=" + std::to_string(layer.bits) +
      " BLOCK_K=" + std::to_string(unitsK * order.unitRows()) +
      " BLOCK_N=" + std::to_string(unitsN * PackedOrder::unitColumns) + facts;
  Result<JitKernel> kernel = JitKernel::create(request);
  ASSERT_TRUE(kernel.ok()) << kernel.status().message();
  std::vector<int32_t> packed(rows * columns, -1);
  Status status = kernel->run({{"qweight", view(layer.qweight, {K / P, N})},
                               {"packed", view(packed, {rows, columns})}},
                              {{"K", K},
                               {"N", N},
                               {"KP", rows * order.unitRows()},
                               {"NP", columns / 8}});
  ASSERT_TRUE(status.ok()) << status.message();
  Result<model::PackedWeights> expected = model::packWeights(layer);
  ASSERT_TRUE(expected.ok());
  EXPECT_EQ(packed, expected->codes)
      << request.config << ", K " << K << ", N " << N;
}

TEST(PackWeights, KernelAndHostAgreeBitForBit) {
  std::mt19937 random(std::random_device{}());
  for (int bits : {2, 4, 8})
    for (auto [wordsK, wordsN] : {std::pair(16, 16), {19, 13}, {3, 1}, {8, 40}})
      for (auto [unitsK, unitsN] : {std::pair(1, 1), {1, 4}, {2, 3}}) {
        int64_t P = 32 / bits;
        model::Layer layer = randomLayer(random, bits, P, wordsK * P,
                                         wordsN * P, Groups::InOrder, false);
        expectKernelAgrees(layer, unitsK, unitsN, "");
      }
}

TEST(PackWeights, WithoutMasksWhereSizesAreWhole) {
  std::mt19937 random(std::random_device{}());
  for (int bits : {2, 4, 8}) {
    int64_t rows = 256 / bits;
    model::Layer layer =
        randomLayer(random, bits, rows, 3 * rows, 128, Groups::InOrder, false);
    std::string facts = " N%64 NP%64 K%" + std::to_string(rows);
    expectKernelAgrees(layer, 1, 4, facts);
  }
}

TEST(PackWeights, SizesThatAreNotWholeUnitsAreRefused) {
  CompileRequest request;
  request.kernel = "pack_weights";
  request.config = "BITS=4 BLOCK_K=64 BLOCK_N=16";
  Result<JitKernel> kernel = JitKernel::create(request);
  ASSERT_TRUE(kernel.ok()) << kernel.status().message();
  std::vector<int32_t> from(8 * 16), to(128);
  Status status = kernel->run(
      {{"qweight", view(from, {8, 16})}, {"packed", view(to, {1, 128})}},
      {{"K", 64}, {"N", 16}, {"KP", 32}, {"NP", 16}});
  EXPECT_EQ(status.code(), ErrorCode::InvalidArgument);
  EXPECT_EQ(status.message(),
            "size 'KP' is 32, but the kernel was compiled for multiples of 64");
}

} // namespace
