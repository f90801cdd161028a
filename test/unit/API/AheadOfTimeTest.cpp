//===- AheadOfTimeTest.cpp - Nothing is left to compile -------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "API/AheadOfTime.h"
#include "../TestFolder.h"
#include "API/KernelChoice.h"
#include "API/TunedTable.h"
#include "Jit/KernelFile.h"
#include "Jit/KernelRecord.h"
#include "Model/PackedWeights.h"
#include "Support/Digest.h"
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
  // H100, H200 and A100, as the driver describes them.
  for (auto [target, multiprocessors, memoryClockKHz, memoryBusBits] :
       {std::tuple("sm_90a", 132, 2619000, 5120),
        {"sm_90a", 132, 3201000, 6144},
        {"sm_80", 108, 1215000, 5120}}) {
    driver::DeviceProperties device;
    device.computeCapability = TargetSpec::parse(target)->capability;
    device.multiprocessors = multiprocessors;
    device.maxSharedBytesPerBlock =
        static_cast<size_t>(TargetSpec::parse(target)->sharedBytes);
    device.memoryClockKHz = memoryClockKHz;
    device.memoryBusBits = memoryBusBits;
    for (const model::Layer &layer : someLayers())
      for (DType type : {DType::F16, DType::BF16, DType::F32}) {
        auto all = allRequests(layer, type, target);
        ASSERT_TRUE(all.ok()) << all.status().message();
        EXPECT_TRUE(all->count(*requestKey(makeDenseRequest(type, target))));
        bool sorts = model::packedGroupRows(layer) && layer.actOrder &&
                     device.computeCapability >= 90;
        auto hasSorter = [&](size_t sorter) {
          return all->count(
              *requestKey(sortColumnsRequest(layer, type, sorter, "sm_90a")));
        };
        EXPECT_EQ(hasSorter(0), sorts ? 1u : 0u);
        for (int i = 0; i < 40; ++i) {
          int64_t rows = 1 + static_cast<int64_t>(random() >> random() % 31);
          CallKind kind = {type, bucketOf(rows, /*host=*/false),
                           random() % 2 == 0};
          CompileRequest request =
              gpuRequest(layer, kind, target, device, *nothing, "auto");
          EXPECT_TRUE(all->count(*requestKey(request)))
              << rows << " rows: " << request.config;
          EXPECT_EQ(
              hasSorter(sorterFor(layer, kind, /*strided=*/false, device)),
              sorts ? 1u : 0u)
              << rows;
        }
      }
  }
}

/// What tuning chose is compiled, too, for all calls that share it, and results
/// for others are left out.
TEST(AheadOfTime, HasWhatTunedCallsAskFor) {
  std::mt19937 random(std::random_device{}());
  driver::DeviceProperties device;
  device.computeCapability = 90;
  device.multiprocessors = 132;
  device.maxSharedBytesPerBlock =
      static_cast<size_t>(TargetSpec::parse("sm_90a")->sharedBytes);
  TestFolder folder;
  for (const model::Layer &layer : someLayers()) {
    int64_t rows = 1 + static_cast<int64_t>(random() >> random() % 31);
    std::vector<KernelConfig> configs =
        tuningConfigs(layer, rows, model::packedGroupRows(layer) != 0, device);
    const KernelConfig &best = configs[random() % configs.size()];
    MeasuredTimes times;
    for (const KernelConfig &config : configs) {
      double time = config == best ? 1 : 2 + static_cast<double>(random() % 9);
      times[overrideWords(config)] = {time, time, time};
    }
    std::string call = tuningCall(layer, "auto", DType::F16, rows);
    std::map<std::string, CacheEntry> entries;
    for (auto [about, target] : {std::pair(call, "sm_90a"),
                                 {call, "sm_80"},
                                 {"of others", "sm_90a"}}) {
      TuningKey key = {"H100 " + about, digestOf({about, target}), about,
                       target};
      entries.emplace(key.problem, timesEntry(key, times));
    }
    CompiledKernel kernel;
    entries.emplace(digestOf({"kernel"}), toEntry(kernel));
    std::string path = folder / "tuned.nbl";
    ASSERT_TRUE(writeKernelFile(path, entries).ok());
    Result<std::vector<FiledTimes>> read = readTimesFile(path);
    ASSERT_TRUE(read.ok()) << read.status().message();
    EXPECT_EQ(read->size(), 3u);

    std::vector<FiledTimes> found =
        resultsFor(layer, DType::F16, "sm_90a", *read);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].key.problem, digestOf({call, "sm_90a"}));
    EXPECT_EQ(found[0].key.name, "H100 " + call);
    EXPECT_EQ(found[0].times.size(), times.size());
    EXPECT_TRUE(resultsFor(layer, DType::BF16, "sm_90a", *read).empty());
    auto untuned = allRequests(layer, DType::F16, "sm_90a"),
         tuned = allRequests(layer, DType::F16, "sm_90a", *read);
    ASSERT_TRUE(untuned.ok() && tuned.ok());
    for (const auto &[key, request] : *untuned)
      EXPECT_TRUE(tuned->count(key));
    size_t calls = 0;
    for (int bucket = 0; bucket < bucketCount; ++bucket) {
      if (tuningGroup(firstRows(bucket)) != tuningGroup(rows))
        continue;
      for (bool aligned : {false, true}) {
        ++calls;
        CompileRequest request =
            gpuRequest(layer, {DType::F16, bucket, aligned}, "sm_90a", device,
                       best, "auto");
        EXPECT_TRUE(tuned->count(*requestKey(request))) << request.config;
      }
    }
    EXPECT_GE(calls, 2u);
    EXPECT_LE(tuned->size(), untuned->size() + calls);
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
