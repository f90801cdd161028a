//===- TuningTest.cpp - What tuning would do, and keeps -------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What needs no GPU: measuring itself is tested in Device/.
//
//===----------------------------------------------------------------------===//

#include "API/Floor.h"
#include "API/KernelChoice.h"
#include "API/PackedChoice.h"
#include "API/TunedTable.h"
#include "API/TuningPolicy.h"
#include "Jit/KernelFile.h"
#include "Jit/Timing.h"
#include "Layout/PackedProgram.h"
#include "Support/Digest.h"
#include "TestLayer.h"
#include "nibble/JitKernel.h"
#include "llvm/Support/FileSystem.h"
#include <gtest/gtest.h>
#include <set>

using namespace nibble;
using namespace nibble::test;

namespace {

TuningStep stepOf(TuningPolicy policy, bool pinned, bool searched,
                  bool captured) {
  return tuningStep(policy, pinned, searched, [&] { return captured; });
}

TEST(TuningPolicy, DecidesWhatACallDoes) {
  constexpr TuningPolicy heuristic = TuningPolicy::Heuristic,
                         background = TuningPolicy::Background,
                         blocking = TuningPolicy::Blocking;
  for (bool captured : {false, true})
    for (bool pinned : {false, true}) {
      EXPECT_EQ(stepOf(heuristic, pinned, false, captured), TuningStep::None);
      for (TuningPolicy policy : {background, blocking})
        EXPECT_EQ(stepOf(policy, pinned, /*searched=*/true, captured),
                  TuningStep::None);
    }
  EXPECT_EQ(stepOf(background, false, false, false), TuningStep::Later);
  EXPECT_EQ(stepOf(blocking, false, false, false), TuningStep::Now);
  EXPECT_EQ(stepOf(background, false, false, true), TuningStep::Postponed);
  EXPECT_EQ(stepOf(blocking, false, false, true), TuningStep::Postponed);
  // The first choice of a pinned layer stays: it is tuned before, or never.
  EXPECT_EQ(stepOf(background, true, false, false), TuningStep::None);
  EXPECT_EQ(stepOf(background, true, false, true), TuningStep::None);
  EXPECT_EQ(stepOf(blocking, true, false, false), TuningStep::Now);
  EXPECT_EQ(stepOf(blocking, true, false, true), TuningStep::None);
}

TEST(TuningPolicy, AsksOfTheStreamOnlyWhereItMatters) {
  int asked = 0;
  auto capturing = [&] { return ++asked == 0; };
  tuningStep(TuningPolicy::Heuristic, false, false, capturing);
  tuningStep(TuningPolicy::Blocking, false, true, capturing);
  EXPECT_EQ(asked, 0);
  tuningStep(TuningPolicy::Blocking, false, false, capturing);
  EXPECT_EQ(asked, 1);
}

/// What is found for a group is run by all of its calls: they must read the
/// same order of weights.
TEST(Tuning, GroupsOfRowsReadOneOrder) {
  EXPECT_EQ(tuningGroup(1), 1);
  EXPECT_EQ(tuningGroup(5), 3);
  EXPECT_EQ(tuningGroup(11), 6);
  EXPECT_EQ(tuningGroup(64), 46);
  EXPECT_EQ(tuningGroup(65), 65);
  EXPECT_EQ(tuningGroup(90), 65);
  EXPECT_EQ(tuningGroup(1 << 20), 5793);
  for (int64_t rows = 1; rows < 20000; ++rows) {
    int64_t group = tuningGroup(rows);
    ASSERT_LE(group, rows);
    ASSERT_EQ(tuningGroup(group), group);
    ASSERT_EQ(tunedRows(group), tunedRows(rows));
    constexpr int64_t most = layout::PackedProgram::mostRows;
    ASSERT_EQ(group <= most, rows <= most) << rows;
    // A bucket, whose calls share a kernel, is within one group.
    ASSERT_EQ(tuningGroup(firstRows(bucketOf(rows, /*host=*/false))), group);
  }
}

TEST(Tuning, RangesOfRowsAreOneNumberAGroup) {
  EXPECT_EQ(rowsToTune(1, 1), (std::vector<int64_t>{1}));
  EXPECT_EQ(rowsToTune(1, 64), (std::vector<int64_t>{1, 2, 4, 8, 16, 32, 64}));
  EXPECT_EQ(rowsToTune(7, 7), (std::vector<int64_t>{7}));
  EXPECT_EQ(rowsToTune(9, 33), (std::vector<int64_t>{9, 16, 32}));
  EXPECT_EQ(rowsToTune(50, 60), (std::vector<int64_t>{60}));
  EXPECT_EQ(rowsToTune(60, 70), (std::vector<int64_t>{64, 65}));
  EXPECT_EQ(rowsToTune(1, 4096),
            (std::vector<int64_t>{1, 2, 4, 8, 16, 32, 64, 65, 128, 256, 512,
                                  1024, 2048, 4096}));
  EXPECT_EQ(rowsToTune(5000, 1 << 20), (std::vector<int64_t>{5000, 8192}));
  EXPECT_TRUE(rowsToTune(5, 4).empty());
}

driver::DeviceProperties h100() {
  driver::DeviceProperties device;
  device.computeCapability = 90;
  device.multiprocessors = 132;
  device.maxSharedBytesPerBlock = 227 << 10;
  return device;
}

/// The first candidate is what runs untuned, so that tuning never loses to it.
TEST(Tuning, StartsWithTheUntunedChoice) {
  model::Layer layer = *model::emptyLayer(4, 128, 4096, 4096, false);
  ASSERT_TRUE(model::checkLayer(layer).ok());
  for (int64_t rows : {1, 10, 16, 64, 65, 300})
    for (bool packed : {false, true}) {
      std::string schedule = packed ? "auto" : "mma";
      CallKind kind = {DType::F16, bucketOf(rows, false), true};
      std::vector<KernelConfig> configs =
          tuningConfigs(layer, rows, packed, h100());
      ASSERT_GE(configs.size(), 4u);
      auto configOf = [&](const KernelConfig &config) {
        return gpuRequest(layer, kind, "sm_90a", h100(), config, schedule)
            .config;
      };
      EXPECT_EQ(configOf(configs[0]), configOf(*parseOverrides("")))
          << rows << " rows";
      // They are kept by their words.
      for (const KernelConfig &config : configs) {
        Result<KernelConfig> read = parseOverrides(overrideWords(config));
        ASSERT_TRUE(read.ok()) << read.status().message();
        EXPECT_EQ(configOf(*read), configOf(config));
      }
    }
}

TEST(Tuning, ExcludedConfigurationsHaveReasons) {
  model::Layer layer = *model::emptyLayer(8, 16, 4096, 4096, false);
  ASSERT_TRUE(model::checkLayer(layer).ok());
  driver::DeviceProperties small = h100();
  small.maxSharedBytesPerBlock = 40 << 10;
  size_t run = 0, excluded = 0;
  for (const PackedChoice &choice : packedChoices(layer, 16, small)) {
    run += !choice.refusal;
    excluded += choice.refusal.has_value();
    if (choice.refusal)
      EXPECT_TRUE(choice.refusal->find("shared memory, more than 40960") !=
                      std::string::npos ||
                  choice.refusal->find("registers a thread") !=
                      std::string::npos)
          << *choice.refusal;
  }
  EXPECT_EQ(run, runnable(packedChoices(layer, 16, small)).size());
  EXPECT_GT(excluded, 0u);
  EXPECT_FALSE(packedChoices(layer, 65, small).empty());
  small.computeCapability = 80;
  EXPECT_TRUE(packedChoices(layer, 65, small).empty());
}

TEST(Tuning, ScratchMemoryIsBounded) {
  constexpr size_t MiB = size_t(1) << 20;
  EXPECT_EQ(coldCopies(256 * MiB, 8 * MiB, 80000 * MiB), 33u);
  EXPECT_EQ(coldCopies(256 * MiB, 1000, 80000 * MiB), 512u);
  EXPECT_EQ(coldCopies(256 * MiB, 8 * MiB, 100 * MiB), 6u);
  // One would be as warm as the layer's own.
  EXPECT_EQ(coldCopies(256 * MiB, 300 * MiB, 80000 * MiB), 0u);
  EXPECT_EQ(coldCopies(256 * MiB, 100 * MiB, 300 * MiB), 0u);
  EXPECT_EQ(coldCopies(256 * MiB, 8 * MiB, 0), 0u);
  EXPECT_EQ(coldCopies(256 * MiB, 0, 80000 * MiB), 512u);
}

/// Those of the table in the header's source: 4-bit layers with groups of 128
/// and one row.
TEST(Tuning, FloorsAreThoseOfAnH100) {
  for (auto [K, N, microseconds] :
       {std::tuple(4096, 4096, 5.5), std::tuple(4096, 14336, 12.4),
        std::tuple(14336, 4096, 12.4), std::tuple(8192, 8192, 13.7),
        std::tuple(8192, 28672, 41.3)}) {
    model::Layer layer = *model::emptyLayer(4, 128, K, N, false);
    ASSERT_TRUE(model::checkLayer(layer).ok());
    double bytes = callBytes(layer, 1, DType::F16);
    std::optional<Floors> floors = floorsOf("sm_90a", bytes, 2.0 * K * N);
    ASSERT_TRUE(floors);
    EXPECT_NEAR(floors->memory, microseconds, 0.1);
    driver::DeviceProperties device;
    device.memoryClockKHz = 2619000;
    device.memoryBusBits = 5120;
    EXPECT_NEAR(memoryFloor(bytes, peakRate(device)), floors->memory, 0.1);
  }
  EXPECT_NEAR(floorsOf("sm_90a", 0, 2.0 * 8192 * 8192 * 8192)->operations, 1615,
              1);
  EXPECT_FALSE(floorsOf("sm_80", 1, 1));
}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

class Tuned : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("nibble-tuned", folder));
  }
  void TearDown() override { llvm::sys::fs::remove_directories(folder); }

  /// A key that no other test or run has.
  TuningKey key(int number) {
    std::string name = folder.str().str() + " " + std::to_string(number);
    return {name, digestOf({name}), "call " + std::to_string(number), "sm_90a"};
  }
  static CallTime time(double median) {
    return {median, median - 1, median + 1};
  }

  llvm::SmallString<128> folder;
};

/// Whatever a time depends on keeps times apart; the device, its driver and the
/// build of nibble are added where there is a device.
TEST(Tuning, CallsAreToldApart) {
  std::set<std::string> calls;
  size_t made = 0;
  auto add = [&](const model::Layer &layer, DType type = DType::F16,
                 int64_t rows = 1, const char *schedule = "auto") {
    calls.insert(tuningCall(layer, schedule, type, rows));
    EXPECT_EQ(calls.size(), ++made);
  };
  auto layerOf = [](int bits, int64_t groupSize, int64_t K, int64_t N) {
    model::Layer layer = *model::emptyLayer(bits, groupSize, K, N, false);
    EXPECT_TRUE(model::checkLayer(layer).ok());
    return layer;
  };
  const model::Layer layer = layerOf(4, 128, 512, 256);
  add(layer);
  add(layerOf(8, 128, 512, 256));
  add(layerOf(4, 64, 512, 256));
  add(layerOf(4, 128, 256, 256));
  add(layerOf(4, 128, 512, 512));
  add(layer, DType::BF16);
  add(layer, DType::F16, 2);
  add(layer, DType::F16, 1, "mma");
  model::Layer other = layer;
  other.actOrder = true;
  add(other);
  other = layer;
  other.bias.assign(256, 0);
  add(other);
  std::mt19937 random(std::random_device{}());
  other =
      randomLayer(random, 4, 128, 512, 256, Groups::None, false, DType::F32);
  add(other);
  EXPECT_EQ(tuningCall(layer, "auto", DType::F16, 1000),
            tuningCall(layer, "auto", DType::F16, 1024));
}

TEST_F(Tuned, TheBestKnownIsChosen) {
  DiskCache cache(folder.str().str(), 1 << 20);
  TunedTable table(cache);
  EXPECT_FALSE(table.find(key(1)));
  EXPECT_FALSE(table.isSearched(key(1)));
  table.add(key(1), {{"BLOCK_N=32 stages=1", time(9)},
                     {"BLOCK_N=64 warps=8 stages=1", time(7)}});
  EXPECT_EQ(table.find(key(1))->params.at("BLOCK_N"), 64);
  table.setSearched(key(1));
  EXPECT_TRUE(table.isSearched(key(1)));
  EXPECT_FALSE(table.find(key(2)));
  // What is chosen stays, though something faster is known.
  table.choose(key(1), *parseOverrides("BLOCK_N=32"));
  EXPECT_EQ(table.find(key(1))->params.at("BLOCK_N"), 32);
  EXPECT_EQ(table.times(key(1)).size(), 2u);
}

/// Another process's times, and what none can read.
TEST_F(Tuned, TimesAreFoundInTheCache) {
  DiskCache cache(folder.str().str(), 1 << 20);
  TunedTable(cache).add(key(1), {{"BLOCK_N=32 stages=1", time(9)}});
  TunedTable(cache).add(key(1), {{"BLOCK_N=64 stages=1", time(8)}});
  TunedTable table(cache);
  EXPECT_EQ(table.times(key(1)).size(), 2u);
  EXPECT_EQ(table.find(key(1))->params.at("BLOCK_N"), 64);
  EXPECT_FALSE(table.isSearched(key(1)));
  TunedTable(cache).add(key(2), {{"HOLES=3", time(1)}});
  EXPECT_FALSE(TunedTable(cache).find(key(2)));
}

TEST_F(Tuned, AFileOfTimesIsLoaded) {
  std::string path = (folder + "/tuned.nbl").str();
  DiskCache none("", 0);
  TunedTable table(none);
  Status status = table.save(path);
  EXPECT_EQ(status.code(), ErrorCode::NotFound);
  EXPECT_NE(status.message().find(path), std::string::npos);
  EXPECT_FALSE(llvm::sys::fs::exists(path));

  table.add(key(1), {{"BLOCK_N=32 stages=1", time(9)},
                     {"BLOCK_N=64 stages=1", time(7)}});
  table.add(key(2), {{"BLOCK_N=16 stages=1", time(3)}});
  ASSERT_TRUE(table.save(path).ok());
  TunedTable other(none);
  EXPECT_FALSE(other.find(key(1)));
  ASSERT_TRUE(loadKernels(path).ok());
  EXPECT_EQ(other.find(key(1))->params.at("BLOCK_N"), 64);
  EXPECT_EQ(other.times(key(2)).at("BLOCK_N=16 stages=1").p90, 4);
  // A file that was loaded is passed on.
  std::string copy = (folder + "/copy.nbl").str();
  ASSERT_TRUE(other.save(copy).ok());
  ASSERT_TRUE(KernelFile::open(copy).ok());
  EXPECT_TRUE((*KernelFile::open(copy))->find(key(1).problem));
}

} // namespace
