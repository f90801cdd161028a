//===- KernelChoiceTest.cpp - What is compiled for a call -----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "API/KernelChoice.h"
#include "TestLayer.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;

namespace {

driver::DeviceProperties h100() {
  driver::DeviceProperties device;
  device.computeCapability = 90;
  device.multiprocessors = 132;
  device.maxSharedBytesPerBlock = 227 << 10;
  return device;
}

model::Layer layerOf(int bits, int64_t groupSize, int64_t K, int64_t N) {
  model::Layer layer = *model::emptyLayer(bits, groupSize, K, N, false);
  EXPECT_TRUE(model::checkLayer(layer).ok());
  return layer;
}

CallKind kindOf(int64_t rows, DType type = DType::F16) {
  return {type, bucketOf(rows, /*host=*/false), /*aligned=*/true};
}

/// A call compiles before it runs for the first time, whatever the layer: what
/// is chosen must be something that the schedule takes.
TEST(KernelChoice, FirstChoiceCompiles) {
  int packed = 0;
  for (int bits : Codec::widths)
    for (int64_t groupSize : {16, 32, 128, -1})
      for (int64_t rows : {1, 16, 30, 64})
        for (int64_t N : {4096, 14336, 28672}) {
          // One K and one type for each, in turns.
          int number = packed;
          model::Layer layer =
              layerOf(bits, groupSize, number % 2 ? 512 : 4096, N);
          CompileRequest request = gpuRequest(
              layer, kindOf(rows, number % 3 ? DType::F16 : DType::BF16),
              "sm_90a", h100(), *parseOverrides(""), "auto");
          ASSERT_NE(request.config.find("packed="), std::string::npos)
              << request.config;
          ++packed;
          if (number % 5) // a part of them, for their time
            continue;
          Result<CompiledKernel> kernel = compile(request);
          ASSERT_TRUE(kernel.ok())
              << request.config << ": " << kernel.status().message();
          EXPECT_EQ(kernel->schedule, "mma_packed");
        }
  EXPECT_EQ(packed, 4 * 4 * 4 * 3);
}

TEST(KernelChoice, PackedOrderIsForFewRowsOfLayersThatHaveIt) {
  KernelConfig nothing = *parseOverrides("");
  driver::DeviceProperties device = h100();
  auto isPacked = [&](const model::Layer &layer, int64_t rows,
                      const KernelConfig &overrides,
                      const std::string &schedule) {
    return gpuRequest(layer, kindOf(rows), "sm_90a", device, overrides,
                      schedule)
               .config.find("packed=") != std::string::npos;
  };
  model::Layer layer = layerOf(4, 128, 1024, 1024);
  EXPECT_TRUE(isPacked(layer, 1, nothing, "auto"));
  EXPECT_TRUE(isPacked(layer, 64, nothing, "auto"));
  // With wgmma it is for all calls.
  EXPECT_TRUE(isPacked(layer, 5000, nothing, "auto"));
  device.computeCapability = 80;
  EXPECT_TRUE(isPacked(layer, 64, nothing, "auto"));
  EXPECT_FALSE(isPacked(layer, 91, nothing, "auto"));
  EXPECT_TRUE(isPacked(layer, 500, nothing, "mma_packed"));
  EXPECT_TRUE(isPacked(layer, 500, *parseOverrides("packed=1"), "auto"));
  EXPECT_FALSE(isPacked(layer, 1, nothing, "mma"));
  EXPECT_FALSE(isPacked(layer, 1, nothing, "simt"));
  // LoRAX's blocks are for the checkpoint's order.
  EXPECT_FALSE(isPacked(layer, 1, loraxConfigs(layer, 1).front(), "auto"));
  EXPECT_TRUE(isPacked(layer, 1, *parseOverrides("packed=1 warps=16"), "auto"));
  // Groups that are no steps of 16 rows, and uneven ones.
  EXPECT_FALSE(isPacked(layerOf(4, 8, 1024, 1024), 1, nothing, "auto"));
  layer.gIdx[0] = 1;
  EXPECT_TRUE(model::checkLayer(layer).ok());
  EXPECT_TRUE(layer.actOrder);
  EXPECT_FALSE(isPacked(layer, 1, nothing, "auto"));
  layer.gIdx[128] = 0;
  EXPECT_TRUE(isPacked(layer, 1, nothing, "auto"));
}

/// To the kernel, whose x is sorted before if it has more than a few rows, a
/// layer of act-order is a plain one and x of the type that it is multiplied
/// in.
TEST(KernelChoice, SortedColumnsAreNotGathered) {
  model::Layer layer = layerOf(4, 128, 1024, 1024);
  std::swap(layer.gIdx[0], layer.gIdx[128]);
  ASSERT_TRUE(model::checkLayer(layer).ok() && layer.actOrder);
  auto configFor = [&](DType type, int capability, const std::string &target,
                       const std::string &words) {
    driver::DeviceProperties device = h100();
    device.computeCapability = capability;
    CallKind kind = {type, bucketOf(6, /*host=*/false), /*aligned=*/true};
    CompileRequest request =
        gpuRequest(layer, kind, target, device, *parseOverrides(words), "auto");
    Result<CompiledKernel> kernel = compile(request);
    EXPECT_TRUE(kernel.ok()) << kernel.status().message();
    return *KernelConfig::parse(request.config);
  };
  for (DType type : {DType::F16, DType::BF16, DType::F32})
    for (const char *words : {"", "packed=1 prefetch=2"}) {
      KernelConfig config = configFor(type, 90, "sm_90a", words);
      EXPECT_EQ(config.params["ACT_ORDER"], 0);
      EXPECT_EQ(config.types["X"], type == DType::BF16 ? "bf16" : "f16");
      EXPECT_TRUE(config.overlap);
      for (size_t sorter : {0, 1}) {
        CompileRequest again =
            sortColumnsRequest(layer, type, sorter, "sm_90a");
        Result<CompiledKernel> sorts = compile(again);
        ASSERT_TRUE(sorts.ok()) << sorts.status().message();
        EXPECT_TRUE(sorts->overlaps);
        // The words that are logged give the same kernel again.
        std::string key = *requestKey(again);
        again.config = sorts->config;
        EXPECT_EQ(*requestKey(again), key);
        EXPECT_TRUE(compile(again)->overlaps) << again.config;
      }
      config = configFor(type, 80, "sm_80", words);
      EXPECT_EQ(config.params["ACT_ORDER"], 1);
      EXPECT_EQ(config.types["X"], dtypeName(type));
      EXPECT_FALSE(config.overlap);
    }
  // Sorted rows are aligned, however the caller's lie, and those of a few rows
  // are sorted then.
  CompileRequest request =
      gpuRequest(layer, {DType::F16, bucketOf(3, false), /*aligned=*/false},
                 "sm_90a", h100(), noOverrides(), "auto");
  KernelConfig config = *KernelConfig::parse(request.config);
  EXPECT_EQ(config.alignments, (std::map<std::string, int64_t>{{"x", 16}}));
  config = configFor(DType::F16, 90, "sm_90a", "packed=1 overlap=0");
  EXPECT_FALSE(config.overlap);
  // The checkpoint's order is read with its g_idx, in any order.
  config = configFor(DType::F16, 90, "sm_90a", "BLOCK_M=16");
  EXPECT_EQ(config.params["ACT_ORDER"], 1);
  EXPECT_FALSE(config.overlap);
}

TEST(KernelChoice, WordsTakeThePlaceOfChoices) {
  model::Layer layer = layerOf(4, 128, 1024, 1024);
  CompileRequest request =
      gpuRequest(layer, kindOf(1), "sm_90a", h100(),
                 *parseOverrides("packed=1 BLOCK_N=64 overlap=1"), "auto");
  Result<CompiledKernel> kernel = compile(request);
  ASSERT_TRUE(kernel.ok()) << kernel.status().message();
  EXPECT_TRUE(kernel->overlaps);
  EXPECT_NE(request.config.find("BLOCK_N=64"), std::string::npos);
  for (auto [words, overlap] : {std::pair("", 1), std::pair("packed=1", 1),
                                std::pair("packed=1 overlap=0", 0)})
    for (int64_t rows : {1, 64}) {
      request = gpuRequest(layer, kindOf(rows), "sm_90a", h100(),
                           *parseOverrides(words), "auto");
      EXPECT_EQ(KernelConfig::parse(request.config)->overlap, overlap) << words;
    }
  EXPECT_NE(request.config.find("packed=128"), std::string::npos);
}

/// Calls of up to 64 rows read packed weights once: all their rows are in one
/// block.
TEST(KernelChoice, PackedBlocksHoldAllRows) {
  model::Layer layer = layerOf(4, 128, 1024, 1024);
  for (int64_t rows = 1; rows <= 64; ++rows) {
    CompileRequest request = gpuRequest(layer, kindOf(rows), "sm_90a", h100(),
                                        *parseOverrides(""), "auto");
    Result<KernelConfig> config = KernelConfig::parse(request.config);
    ASSERT_TRUE(config.ok() && config->packed);
    EXPECT_GE(config->params["BLOCK_M"], rows);
    EXPECT_LT(config->params["BLOCK_M"], std::max<int64_t>(2 * rows, 9));
  }
}

TEST(KernelChoice, WordsSayWhichWayOfThePackedOrder) {
  model::Layer layer = layerOf(4, 128, 1024, 1024);
  auto configFor = [&](int64_t rows, const std::string &words) {
    CompileRequest request = gpuRequest(layer, kindOf(rows), "sm_90a", h100(),
                                        *parseOverrides(words), "auto");
    Result<CompiledKernel> kernel = compile(request);
    EXPECT_TRUE(kernel.ok()) << words << ": " << kernel.status().message();
    return *KernelConfig::parse(request.config);
  };
  KernelConfig config = configFor(1, "packed=1 prefetch=2");
  EXPECT_EQ(config.prefetch, 2);
  EXPECT_FALSE(config.wgmma);
  // Many rows take the blocks of the most that one has.
  EXPECT_EQ(configFor(1000, "packed=1 prefetch=1").params["BLOCK_M"], 64);
  config = configFor(
      1, "packed=1 prefetch=0 BLOCK_N=64 BLOCK_K=256 warps=4 stages=8");
  EXPECT_EQ(config.prefetch, 0);
  EXPECT_EQ(config.stages, 8);
  for (const char *words :
       {"packed=1 prefetch=0 wgmma=1 BLOCK_M=32 BLOCK_N=128 BLOCK_K=128 "
        "warps=8 stages=4",
        "packed=1 wgmma=1 BLOCK_M=32 BLOCK_N=128 BLOCK_K=128 warps=8 "
        "stages=4"}) {
    config = configFor(1, words);
    EXPECT_TRUE(config.wgmma) << words;
    EXPECT_EQ(config.prefetch, 0) << words;
    EXPECT_EQ(config.params["BLOCK_M"], 32) << words;
  }
  // wgmma=0 and splits=1 are choices, too.
  config = configFor(1000, "packed=1 prefetch=0 wgmma=0 BLOCK_M=64 BLOCK_N=64 "
                           "BLOCK_K=128 warps=4 stages=4");
  EXPECT_FALSE(config.wgmma);
  EXPECT_EQ(config.splits, 1);
}

TEST(KernelChoice, WordsOfThePackedOrderNeedIt) {
  for (const char *words :
       {"stages=3", "prefetch=2", "prefetch=0", "wgmma=1", "splits=2",
        "overlap=1", "packed=128", "packed=1 BITS=4", "packed=1 x@16"}) {
    Result<KernelConfig> config = parseOverrides(words);
    ASSERT_FALSE(config.ok()) << words;
    EXPECT_EQ(config.status().code(), ErrorCode::InvalidArgument);
  }
  EXPECT_TRUE(
      parseOverrides("packed=1 stages=4 prefetch=2 overlap=1 BLOCK_N=64").ok());
  // Every word comes back as it was given; what was not is no choice.
  for (const char *words :
       {"packed=1", "packed=1 prefetch=0", "packed=1 prefetch=2",
        "packed=1 prefetch=0 wgmma=1 splits=2 stages=5 warps=8 BLOCK_M=128"}) {
    KernelConfig config = *parseOverrides(words);
    EXPECT_EQ(*parseOverrides(overrideWords(config)), config) << words;
  }
  EXPECT_EQ(parseOverrides("packed=1")->prefetch, -1);
  EXPECT_EQ(parseOverrides("packed=1 prefetch=0")->prefetch, 0);
  EXPECT_EQ(parseOverrides("packed=1 wgmma=1")->prefetch, 0);
}

/// server/lorax_server/layers/gptq/quant_linear.py: the list, and how
/// custom_autotune.py cuts it down.
TEST(KernelChoice, LoraxsAreItsEightCutToTheLayer) {
  using Blocks = std::tuple<int64_t, int64_t, int64_t, int>;
  const std::vector<Blocks> eight = {
      {64, 256, 32, 4}, {128, 128, 32, 4}, {64, 128, 32, 4}, {128, 32, 32, 4},
      {64, 64, 32, 4},  {64, 128, 32, 8},  {64, 64, 64, 8},  {32, 32, 128, 4}};
  auto cut = [](int64_t block, int64_t extent) {
    int64_t power = 16;
    while (power < extent)
      power *= 2;
    return std::min(block, power);
  };
  for (auto [rows, K, N, count] :
       {std::tuple(int64_t(4096), int64_t(4096), int64_t(4096), size_t(8)),
        {1, 4096, 4096, 7}, // two differ in BLOCK_M alone
        {17, 96, 48, 5},
        {1, 32, 32, 2}}) {
    std::vector<Blocks> expected, found;
    for (auto [m, n, k, warps] : eight) {
      Blocks blocks = {cut(m, rows), cut(n, N), cut(k, K), warps};
      if (!llvm::is_contained(expected, blocks))
        expected.push_back(blocks);
    }
    EXPECT_EQ(expected.size(), count);
    for (KernelConfig &config : loraxConfigs(layerOf(4, 32, K, N), rows)) {
      EXPECT_EQ(config.params["GROUP_M"], 8);
      found.push_back({config.params["BLOCK_M"], config.params["BLOCK_N"],
                       config.params["BLOCK_K"], config.warps});
    }
    EXPECT_EQ(found, expected) << rows << " rows, " << K << " x " << N;
  }
  // Each number of rows is tuned for 2^int(log2 x + 0.5).
  for (int64_t rows = 1; rows < 11585; ++rows) {
    double power = std::log2(static_cast<double>(rows)) + 0.5;
    ASSERT_EQ(tunedRows(rows), int64_t(1) << static_cast<int>(power)) << rows;
  }
}

/// A few rows of x are held by the product itself where the call's type and
/// addresses let it copy them, and it has the room.
TEST(KernelChoice, FewRowsOfActOrderAreHeld) {
  model::Layer layer = layerOf(4, 128, 1024, 1024);
  std::swap(layer.gIdx[0], layer.gIdx[128]);
  ASSERT_TRUE(model::checkLayer(layer).ok() && layer.actOrder);
  auto configFor = [&](DType type, int64_t rows, bool aligned,
                       const driver::DeviceProperties &device,
                       const std::string &words) {
    CompileRequest request =
        gpuRequest(layer, {type, bucketOf(rows, /*host=*/false), aligned},
                   "sm_90a", device, *parseOverrides(words), "auto");
    Result<CompiledKernel> kernel = compile(request);
    EXPECT_TRUE(kernel.ok()) << kernel.status().message();
    return *KernelConfig::parse(request.config);
  };
  for (DType type : {DType::F16, DType::BF16})
    for (auto [rows, most] : {std::pair(1, 1), {2, 2}, {3, 5}, {5, 5}}) {
      KernelConfig config = configFor(type, rows, true, h100(), "");
      EXPECT_TRUE(config.held);
      EXPECT_EQ(config.params["ACT_ORDER"], 1);
      EXPECT_EQ(config.most,
                (std::map<std::string, int64_t>{{"M", most}, {"K", 1024}}));
      EXPECT_EQ(config.alignments["g_idx"], 16);
    }
  auto isHeld = [&](DType type, int64_t rows, bool aligned,
                    const driver::DeviceProperties &device = h100(),
                    const std::string &words = "") {
    return configFor(type, rows, aligned, device, words).held;
  };
  EXPECT_FALSE(isHeld(DType::F16, 6, true));
  EXPECT_FALSE(isHeld(DType::F32, 1, true));
  EXPECT_FALSE(isHeld(DType::F16, 1, false));
  EXPECT_FALSE(isHeld(DType::F16, 1, true, h100(), "packed=1 prefetch=2"));
  // There may be no room, beside the stages or at all.
  EXPECT_TRUE(isHeld(DType::F16, 1, true, h100(), "packed=1 stages=24"));
  auto shuffled = [](int64_t K) {
    model::Layer made = layerOf(4, 128, K, 64);
    std::swap(made.gIdx[0], made.gIdx[128]);
    EXPECT_TRUE(model::checkLayer(made).ok() && made.actOrder);
    return made;
  };
  layer = shuffled(4096);
  EXPECT_TRUE(isHeld(DType::F16, 1, true));
  driver::DeviceProperties small = h100();
  small.maxSharedBytesPerBlock = 64 << 10;
  EXPECT_FALSE(isHeld(DType::F16, 1, true, small));
  layer = shuffled(8192);
  EXPECT_FALSE(isHeld(DType::F16, 1, true));
  EXPECT_FALSE(parseOverrides("packed=1 held=1").ok());
  EXPECT_FALSE(parseOverrides("packed=1 K<=4096").ok());
}

/// More rows are sorted by programs of more columns, so that each row is read
/// by fewer of them; rows that are not whole pieces are not held.
TEST(KernelChoice, ManyRowsAreSortedByFewerPrograms) {
  auto columnsFor = [](int64_t K, int64_t rows, DType type = DType::F16,
                       bool aligned = true, bool strided = false) {
    model::Layer layer = layerOf(4, 32, K, 128);
    CallKind kind = {type, bucketOf(rows, /*host=*/false), aligned};
    return sortedColumns[sorterFor(layer, kind, strided, h100())];
  };
  EXPECT_EQ(columnsFor(128, 1), 1024);
  EXPECT_EQ(columnsFor(4096, 64), 1024);
  EXPECT_EQ(columnsFor(4096, 128), 2048);
  EXPECT_EQ(columnsFor(4096, 256), 4096);
  EXPECT_EQ(columnsFor(4096, 4096), 4096);
  EXPECT_EQ(columnsFor(14336, 4), 1024);
  EXPECT_EQ(columnsFor(14336, 16), 4096);
  EXPECT_EQ(columnsFor(14336, 4096), 16384);
  EXPECT_EQ(columnsFor(4096, 64, DType::F32), 2048);
  EXPECT_EQ(columnsFor(4096, 64, DType::F16, /*aligned=*/false), 512);
  EXPECT_EQ(columnsFor(4096, 64, DType::F16, true, /*strided=*/true), 512);
  // Of half of 227 kilobytes, and of rows that are 16 bytes more or less.
  EXPECT_EQ(columnsFor(57344, 1 << 20), 16384);
  EXPECT_EQ(columnsFor(57344 + 32, 1 << 20), 512);
  EXPECT_EQ(columnsFor(28672, 1, DType::F32), 2048);
  EXPECT_EQ(columnsFor(28672 + 32, 1, DType::F32), 512);
  model::Layer odd = layerOf(8, 4100, 4100, 128);
  EXPECT_EQ(sorterFor(odd, kindOf(8, DType::F32), /*strided=*/false, h100()),
            0u);

  // What is known of K is what is so.
  for (auto [K, fact] :
       {std::pair(4096, "K%1024 K<=4096"), {4128, "K%8 K<=8192"}}) {
    std::string config =
        sortColumnsRequest(layerOf(4, 32, K, 128), DType::F16, 1, "sm_90a")
            .config;
    EXPECT_NE(config.find(fact), std::string::npos) << config;
    EXPECT_NE(config.find(" held=1"), std::string::npos) << config;
  }
}

} // namespace
