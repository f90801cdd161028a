//===- AheadOfTimeTest.cpp - Nothing is left to compile -------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "API/AheadOfTime.h"
#include "API/KernelChoice.h"
#include "Target/TargetSpec.h"
#include "TestLayer.h"
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;

namespace {

/// Layers of all kinds, too small and too odd for some of the facts that others
/// allow.
std::vector<model::Layer> someLayers() {
  std::mt19937 random(std::random_device{}());
  std::vector<model::Layer> layers;
  for (int bits : Codec::widths)
    for (auto [K, N] : {std::pair(256, 4096), {160, bits == 3 ? 160 : 176}})
      for (Groups groups : {Groups::InOrder, Groups::Shuffled})
        for (bool bias : {false, true})
          layers.push_back(randomLayer(random, bits, 32, K, N, groups, bias));
  return layers;
}

TEST(AheadOfTime, HasWhatCallsOnAGpuAskFor) {
  std::mt19937 random(std::random_device{}());
  Result<KernelConfig> nothing = parseOverrides("");
  // H100 and A100, as the driver describes them.
  for (auto [target, multiprocessors] :
       {std::pair("sm_90a", 132), {"sm_80", 108}}) {
    driver::DeviceProperties device;
    device.computeCapability = TargetSpec::parse(target)->capability;
    device.multiprocessors = multiprocessors;
    device.maxSharedBytesPerBlock =
        static_cast<size_t>(TargetSpec::parse(target)->sharedBytes);
    for (const model::Layer &layer : someLayers())
      for (DType type : {DType::F16, DType::BF16, DType::F32}) {
        auto all = allRequests(layer, type, target);
        ASSERT_TRUE(all.ok()) << all.status().message();
        EXPECT_TRUE(all->count(*requestKey(makeDenseRequest(type, target))));
        for (int i = 0; i < 40; ++i) {
          int64_t rows = 1 + static_cast<int64_t>(random() >> random() % 31);
          CallKind kind = {type, bucketOf(rows, /*host=*/false),
                           random() % 2 == 0};
          CompileRequest request =
              gpuRequest(layer, kind, target, device, *nothing);
          EXPECT_TRUE(all->count(*requestKey(request)))
              << rows << " rows: " << request.config;
        }
      }
  }
}

TEST(AheadOfTime, HasWhatCallsOnTheHostAskFor) {
  std::mt19937 random(std::random_device{}());
  Result<KernelConfig> nothing = parseOverrides("");
  for (const model::Layer &layer : someLayers()) {
    auto all = allRequests(layer, DType::F16, "host");
    ASSERT_TRUE(all.ok()) << all.status().message();
    EXPECT_LE(all->size(), 5u);
    for (int i = 0; i < 40; ++i) {
      int64_t rows = 1 + static_cast<int64_t>(random() >> random() % 31);
      CallKind kind = {DType::F16, bucketOf(rows, /*host=*/true), false};
      EXPECT_TRUE(all->count(*requestKey(hostRequest(layer, kind, *nothing))));
    }
  }
}

TEST(AheadOfTime, RefusesWrongTargets) {
  Result<model::Layer> layer = model::emptyLayer(4, 32, 64, 64, false);
  ASSERT_TRUE(layer.ok());
  EXPECT_EQ(allRequests(*layer, DType::F16, "sm_70").status().code(),
            ErrorCode::InvalidArgument);
}

} // namespace
