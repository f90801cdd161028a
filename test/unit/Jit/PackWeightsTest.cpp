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

/// Packs `layer` by the kernel, with blocks of one by `unitsN` units.
void expectKernelAgrees(const model::Layer &layer, int64_t unitsN,
                        const std::string &facts) {
  PackedOrder order(layer.bits);
  int64_t K = layer.inFeatures, N = layer.outFeatures;
  int64_t rows = order.packedRows(K), columns = order.packedColumns(N);
  CompileRequest request;
  request.kernel = "pack_weights";
  request.config =
      "BITS=" + std::to_string(layer.bits) +
      " BLOCK_K=" + std::to_string(order.unitRows()) +
      " BLOCK_N=" + std::to_string(unitsN * PackedOrder::unitColumns) + facts;
  Result<JitKernel> kernel = JitKernel::create(request);
  ASSERT_TRUE(kernel.ok()) << kernel.status().message();
  std::vector<int32_t> packed(rows * columns, -1);
  Status status = kernel->run(
      {{"qweight", view(layer.qweight, {layer.codec().words(K), N})},
       {"packed", view(packed, {rows, columns})}},
      {{"K", K},
       {"N", N},
       {"KP", rows * order.unitRows()},
       {"NP", (N + 15) / 16 * 16}});
  ASSERT_TRUE(status.ok()) << status.message();
  Result<model::PackedWeights> expected = model::packWeights(layer);
  ASSERT_TRUE(expected.ok());
  EXPECT_EQ(packed, expected->codes)
      << request.config << ", K " << K << ", N " << N;
}

TEST(PackWeights, KernelAndHostAgreeBitForBit) {
  std::mt19937 random(std::random_device{}());
  for (int bits : Codec::widths)
    for (auto [k, n] : {std::pair(16, 16), {19, 13}, {3, 1}, {8, 40}})
      for (int64_t unitsN : {1, 3, 4}) {
        int64_t P = Codec{bits}.unitCodes();
        model::Layer layer =
            randomLayer(random, bits, P, k * P, n * P, Groups::InOrder, false);
        expectKernelAgrees(layer, unitsN, "");
      }
}

TEST(PackWeights, WithoutMasksWhereSizesAreWhole) {
  std::mt19937 random(std::random_device{}());
  for (int bits : Codec::widths) {
    int64_t rows = PackedOrder(bits).unitRows();
    model::Layer layer =
        randomLayer(random, bits, rows, 3 * rows, 128, Groups::InOrder, false);
    std::string facts = " N%64 NP%64 K%" + std::to_string(rows);
    expectKernelAgrees(layer, 4, facts);
  }
}

/// Blocks of other than a unit's rows would write another order.
TEST(PackWeights, BlocksAreUnits) {
  CompileRequest request;
  request.kernel = "pack_weights";
  for (const char *config :
       {"BITS=4 BLOCK_K=128 BLOCK_N=16", "BITS=3 BLOCK_K=64 BLOCK_N=16",
        "BITS=2 BLOCK_K=64 BLOCK_N=16"}) {
    request.config = config;
    Result<JitKernel> kernel = JitKernel::create(request);
    ASSERT_FALSE(kernel.ok()) << config;
    EXPECT_NE(kernel.status().message().find("words, not 1 x"),
              std::string::npos)
        << kernel.status().message();
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
