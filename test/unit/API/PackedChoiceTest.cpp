//===- PackedChoiceTest.cpp - Programs for packed weights -----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which configurations there are and in what order, and what the model that
// orders them says. Its numbers are fitted to one GPU; what is tested is what
// must hold for any.
//
//===----------------------------------------------------------------------===//

#include "API/PackedChoice.h"
#include "API/KernelChoice.h"
#include "API/PackedCost.h"
#include "Model/PackedWeights.h"
#include "TestLayer.h"
#include "llvm/ADT/STLExtras.h"
#include <gtest/gtest.h>

using namespace nibble;
using layout::PackedProgram;

namespace {

driver::DeviceProperties deviceOf(int capability, int multiprocessors,
                                  int sharedKiB) {
  driver::DeviceProperties device;
  device.computeCapability = capability;
  device.multiprocessors = multiprocessors;
  device.maxSharedBytesPerBlock = static_cast<size_t>(sharedKiB) << 10;
  return device;
}

driver::DeviceProperties h100() { return deviceOf(90, 132, 227); }

/// GPUs with what a block can have of their shared memory.
struct Gpu {
  driver::DeviceProperties device;
  const char *target;
};
const Gpu gpus[] = {
    {deviceOf(80, 108, 163), "sm_80"},    {deviceOf(86, 84, 99), "sm_86"},
    {deviceOf(89, 128, 99), "sm_89"},     {h100(), "sm_90a"},
    {deviceOf(100, 148, 227), "sm_100a"}, {deviceOf(120, 188, 99), "sm_120a"}};

model::Layer layerOf(int bits, int64_t groupSize, int64_t K, int64_t N) {
  model::Layer layer = *model::emptyLayer(bits, groupSize, K, N, false);
  EXPECT_TRUE(model::checkLayer(layer).ok());
  return layer;
}

double costOf(const KernelConfig &config, int64_t rows,
              const model::Layer &layer,
              const driver::DeviceProperties &device) {
  return pipelineCost(programOf(layer, config), config.splits, rows,
                      layer.inFeatures, layer.outFeatures, device);
}

/// A layer of a random size, of whole groups.
model::Layer randomSize(std::mt19937 &random) {
  std::uniform_int_distribution<int64_t> units(4, 300);
  int bits = Codec::widths[random() % std::size(Codec::widths)];
  int64_t groupSize = random() % 2 ? 128 : 32;
  int64_t K = (units(random) * 32 + groupSize - 1) / groupSize * groupSize;
  return layerOf(bits, groupSize, K, units(random) * 32);
}

std::string call(const model::Layer &layer, int64_t rows) {
  return std::to_string(rows) + " rows, " + std::to_string(layer.inFeatures) +
         " x " + std::to_string(layer.outFeatures) + ", " +
         std::to_string(layer.bits) + " bits, groups of " +
         std::to_string(layer.groupSize) + ": ";
}

TEST(PackedChoice, ThoseThatRunComeFirstTheCheapestAheadAllOthersWithAReason) {
  std::mt19937 random(std::random_device{}());
  for (int64_t rows : {1, 16, 17, 64, 65, 200, 2048}) {
    model::Layer layer = randomSize(random);
    SCOPED_TRACE(call(layer, rows));
    std::vector<PackedChoice> choices = packedChoices(layer, rows, h100());
    ASSERT_FALSE(choices.empty());
    ASSERT_FALSE(choices.front().refusal);
    double cost = 0;
    bool refused = false;
    std::vector<std::string> seen;
    for (const PackedChoice &choice : choices) {
      PackedProgram program = programOf(layer, choice.config);
      std::optional<std::string> why =
          program.refusal(h100().maxSharedBytesPerBlock);
      seen.push_back(choice.config.str());
      if (choice.refusal) {
        refused = true;
        // The program's own reason, or that there is nothing to divide.
        if (why)
          EXPECT_EQ(*choice.refusal, *why);
        else
          EXPECT_EQ(choice.refusal->find("divides "), 0u) << *choice.refusal;
        continue;
      }
      EXPECT_FALSE(refused) << "after one that cannot run: " << seen.back();
      EXPECT_EQ(why, std::nullopt) << seen.back();
      EXPECT_GE(costOf(choice.config, rows, layer, h100()), cost);
      cost = costOf(choice.config, rows, layer, h100());
      // Few rows are read once.
      if (rows <= PackedProgram::mostRows)
        EXPECT_GE(program.blockM, rows);
    }
    EXPECT_EQ(runnable(choices).size(),
              static_cast<size_t>(llvm::count_if(
                  choices, [](auto &each) { return !each.refusal; })));
    llvm::sort(seen);
    EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end());
  }
}

TEST(PackedChoice, AGpuHasWhatItsKindCanRun) {
  model::Layer layer = layerOf(4, 128, 4096, 4096);
  for (const auto &[device, target] : gpus) {
    SCOPED_TRACE(target);
    for (int64_t rows : {1, 17, 64, 65, 1000}) {
      std::vector<PackedChoice> choices = packedChoices(layer, rows, device);
      bool wgmma = false;
      for (const auto &[config, refusal] : choices) {
        EXPECT_EQ(config.prefetch == 0, device.computeCapability >= 90);
        wgmma |= config.wgmma;
        EXPECT_LE(config.splits, device.computeCapability >= 90 ? 8 : 1);
      }
      // More than mma.sync's rows are wgmma's alone.
      EXPECT_EQ(choices.empty(),
                rows > PackedProgram::mostRows && target != gpus[3].target);
      EXPECT_EQ(wgmma, rows > 16 && target == gpus[3].target) << rows;
    }
    // Weights in registers are for any GPU, and few rows.
    for (const KernelConfig &config :
         runnable(registerChoices(layer, 64, device)))
      EXPECT_GT(config.prefetch, 0);
    EXPECT_TRUE(registerChoices(layer, 65, device).empty());
  }
}

/// Of act-order rows are sorted before they are packed, and x's columns before
/// it is read: no kernel knows of it.
TEST(PackedChoice, ActOrderChangesNothing) {
  model::Layer layer = layerOf(4, 128, 1024, 1024);
  std::vector<PackedChoice> plain = packedChoices(layer, 100, h100());
  EXPECT_FALSE(sortsColumns(layer, h100()));
  std::swap(layer.gIdx[0], layer.gIdx[128]);
  ASSERT_TRUE(model::checkLayer(layer).ok() && layer.actOrder);
  EXPECT_TRUE(sortsColumns(layer, h100()));
  std::vector<PackedChoice> choices = packedChoices(layer, 100, h100());
  ASSERT_EQ(choices.size(), plain.size());
  for (size_t i = 0; i < plain.size(); ++i)
    EXPECT_EQ(choices[i].config, plain[i].config);
  // x is gathered where a kernel cannot start before the last one's end.
  driver::DeviceProperties before = h100();
  before.computeCapability = 89;
  EXPECT_FALSE(sortsColumns(layer, before));
  // One without a packed order has none.
  layer.gIdx[1] = 1;
  ASSERT_TRUE(model::checkLayer(layer).ok());
  ASSERT_EQ(model::packedGroupRows(layer), 0);
  EXPECT_TRUE(packedChoices(layer, 1, h100()).empty());
}

TEST(PackedChoice, NothingIsDividedInVain) {
  // 128 rows of K are one step.
  for (const PackedChoice &choice :
       packedChoices(layerOf(4, 128, 128, 4096), 1, h100()))
    if (!choice.refusal)
      EXPECT_EQ(choice.config.params.at("BLOCK_K") * choice.config.splits, 128);
    else
      EXPECT_NE(choice.refusal->find("divides 1 steps over K into"),
                std::string::npos)
          << *choice.refusal;
  // Columns give all multiprocessors enough to do.
  int wide = 0;
  for (const PackedChoice &choice :
       packedChoices(layerOf(4, 128, 4096, 132 * 512), 1, h100())) {
    EXPECT_TRUE(choice.refusal || choice.config.splits == 1);
    wide += choice.refusal &&
            choice.refusal->find("enough for 132 multiprocessors") !=
                std::string::npos;
  }
  EXPECT_GT(wide, 0);
}

/// What is chosen where nothing was measured is compiled by the first call.
TEST(PackedChoice, TheFirstCompilesOnEveryGpu) {
  std::mt19937 random(std::random_device{}());
  for (const auto &[device, target] : gpus)
    for (int64_t rows : {5, 60, 300}) {
      model::Layer layer = randomSize(random);
      bool packed = rows <= 64 || device.computeCapability == 90;
      CompileRequest request =
          gpuRequest(layer, {DType::F16, bucketOf(rows, false), true}, target,
                     device, noOverrides(), "auto");
      Result<CompiledKernel> kernel = compile(request);
      ASSERT_TRUE(kernel.ok())
          << target << ", " << call(layer, rows) << request.config << ": "
          << kernel.status().message();
      EXPECT_EQ(kernel->schedule, packed ? "mma_packed" : "mma")
          << target << ", " << call(layer, rows);
      EXPECT_LE(static_cast<size_t>(kernel->sharedBytes),
                device.maxSharedBytesPerBlock);
    }
}

TEST(PackedChoice, TuningLooksAtTheBest) {
  for (int64_t rows : {1, 64, 2048}) {
    model::Layer layer = layerOf(4, 128, 4096, 4096);
    std::vector<KernelConfig> tuned =
        tuningConfigs(layer, rows, /*packed=*/true, h100());
    std::vector<KernelConfig> all = runnable(packedChoices(
        layer, rowsToChooseFor(bucketOf(rows, /*host=*/false)), h100()));
    ASSERT_GT(tuned.size(), 2u);
    ASSERT_LE(tuned.size(), all.size());
    // All overlap, and the first is there without, too.
    KernelConfig apart = tuned[1];
    EXPECT_EQ(std::exchange(apart.overlap, 1), 0);
    EXPECT_EQ(apart, tuned[0]);
    EXPECT_EQ(tuned[0], all[0]);
    EXPECT_TRUE(std::equal(tuned.begin() + 2, tuned.end(), all.begin() + 1));
    // And can be written down.
    for (const KernelConfig &config : tuned) {
      Result<KernelConfig> again = parseOverrides(overrideWords(config));
      ASSERT_TRUE(again.ok()) << again.status().message();
      EXPECT_EQ(*again, config);
    }
  }
}

//===----------------------------------------------------------------------===//
// The model
//===----------------------------------------------------------------------===//

/// Some of what can run, for `rows` rows of a layer of random size.
template <typename Body> void forSome(Body body) {
  std::mt19937 random(std::random_device{}());
  for (int64_t rows : {1, 16, 30, 64, 150, 1000}) {
    model::Layer layer = randomSize(random);
    std::vector<KernelConfig> configs =
        runnable(packedChoices(layer, rows, h100()));
    for (size_t i = random() % 7; i < configs.size(); i += 7) {
      SCOPED_TRACE(call(layer, rows) + configs[i].str());
      body(programOf(layer, configs[i]), configs[i].splits, rows,
           layer.inFeatures, layer.outFeatures);
    }
  }
}

TEST(PackedCost, MoreToDoTakesLonger) {
  forSome([](PackedProgram program, int splits, int64_t rows, int64_t K,
             int64_t N) {
    auto cost = [&](int64_t rows, int64_t K, int64_t N) {
      return pipelineCost(program, splits, rows, K, N, h100());
    };
    double here = cost(rows, K, N);
    // More blocks hide more of each other's ends, and of more steps the stages
    // hold a smaller part.
    double least = 0.95 * here;
    for (int64_t more : {1, 17, 128, 1000}) {
      EXPECT_GE(cost(rows + more, K, N), least) << more;
      EXPECT_GE(cost(rows, K + more, N), least) << more;
      EXPECT_GE(cost(rows, K, N + more), least) << more;
    }
    EXPECT_GT(cost(rows, 2 * K, N), here);
    EXPECT_GT(cost(rows, K, 2 * N), least);
    EXPECT_GT(cost(rows, K, 16 * N), here);
  });
}

/// It promises nothing that the GPU cannot keep: 3.35 TB/s, 989 TFLOPS (NVIDIA
/// H100 SXM5 datasheet).
TEST(PackedCost, NoCallBeatsTheMemoryOrTheTensorCores) {
  forSome([](PackedProgram program, int splits, int64_t rows, int64_t K,
             int64_t N) {
    double cost = pipelineCost(program, splits, rows, K, N, h100());
    auto weights = static_cast<double>(K * N);
    EXPECT_GT(cost, weights * static_cast<double>(program.bits) / 8 / 3.35e6);
    EXPECT_GT(cost, 2 * static_cast<double>(rows) * weights / 989e6);
  });
}

driver::DeviceProperties h200() {
  driver::DeviceProperties device = h100();
  device.memoryClockKHz = 3201000;
  device.memoryBusBits = 6144;
  return device;
}

/// What was faster on an H100, and on an H200 (bench/results).
TEST(PackedCost, FastMemoryWantsOtherBlocks) {
  EXPECT_TRUE(hasFastMemory(h200()));
  EXPECT_FALSE(hasFastMemory(h100()));
  model::Layer layer = layerOf(4, 128, 14336, 4096);
  KernelConfig slow = packedChoices(layer, 1, h100()).front().config,
               fast = packedChoices(layer, 1, h200()).front().config;
  EXPECT_EQ(slow.params["BLOCK_N"], 16);
  EXPECT_EQ(fast.params["BLOCK_N"], 32);
  EXPECT_LT(costOf(slow, 1, layer, h200()), costOf(slow, 1, layer, h100()));
  EXPECT_LT(costOf(fast, 1, layer, h200()), costOf(slow, 1, layer, h200()));
}

/// 8192 x 8192 and 32 rows took an H200 19.1 us by wgmma with so few columns,
/// 15.7 by mma.sync.
TEST(PackedCost, FastMemoryDoesNotHideWhatAStepOfWgmmaTakes) {
  model::Layer layer = layerOf(4, 128, 8192, 8192);
  const char *shape = "packed=1 BLOCK_M=32 BLOCK_N=64 warps=8 stages=8 ";
  auto by = [&](const char *more) {
    return *parseOverrides(std::string(shape) + more);
  };
  EXPECT_GT(costOf(by("BLOCK_K=256 wgmma=1"), 23, layer, h200()),
            1.05 * costOf(by("BLOCK_K=512 prefetch=0"), 23, layer, h200()));
}

/// Where wgmma scales sums a code takes less.
TEST(PackedCost, WgmmaThatScalesSumsIsChosenForSomeRows) {
  model::Layer layer = layerOf(4, 128, 4096, 14336);
  for (const driver::DeviceProperties &device : {h100(), h200()}) {
    EXPECT_TRUE(packedChoices(layer, 23, device).front().config.wgmma);
    EXPECT_FALSE(packedChoices(layer, 16, device).front().config.wgmma);
  }
}

/// x that is held is written by each block: those that have little else to do
/// are better fewer (bench/results).
TEST(PackedCost, HeldRowsWantWiderBlocksWhereTheyAreAllThereIs) {
  for (const driver::DeviceProperties &device : {h100(), h200()})
    for (int64_t rows : {1, 2, 3})
      for (auto [N, columns] : {std::pair(4096, 32), {14336, 64}}) {
        model::Layer layer = layerOf(4, 128, 4096, N);
        std::swap(layer.gIdx[0], layer.gIdx[128]);
        ASSERT_TRUE(model::checkLayer(layer).ok() && layer.actOrder);
        KernelConfig config = packedChoices(layer, rows, device).front().config;
        EXPECT_EQ(config.params["BLOCK_N"], columns) << call(layer, rows);
      }
}

TEST(PackedCost, MultiprocessorsWithoutABlockAreNoHelp) {
  // 66 blocks of 128 columns, or 132 of 64, of the same warps.
  PackedProgram wide;
  wide.bits = 4;
  wide.groupRows = 128;
  wide.blockM = 64;
  wide.blockN = 256;
  wide.blockK = 128;
  wide.warps = 8;
  wide.stages = 4;
  wide.prefetch = 0;
  wide.wgmma = true;
  PackedProgram narrow = wide;
  narrow.blockN = 128;
  auto cost = [](const PackedProgram &program, int multiprocessors,
                 int splits = 1) {
    return pipelineCost(program, splits, 64, 16384, 66 * 256,
                        deviceOf(90, multiprocessors, 227));
  };
  EXPECT_GT(cost(wide, 132), cost(narrow, 132));
  // Half of them stand still: taking them away costs nothing, and the blocks of
  // a cluster give them work.
  EXPECT_EQ(cost(wide, 132), cost(wide, 66));
  EXPECT_GT(cost(narrow, 66), cost(narrow, 132));
  EXPECT_LT(cost(wide, 132, /*splits=*/2), cost(wide, 132));
  // A second wave of a few blocks takes as long as the first.
  EXPECT_GT(cost(narrow, 131), 1.2 * cost(narrow, 132));
}

TEST(PackedCost, SmallerGroupsAndFewerStagesTakeLonger) {
  forSome([](PackedProgram program, int splits, int64_t rows, int64_t K,
             int64_t N) {
    double here = pipelineCost(program, splits, rows, K, N, h100());
    program.groupRows = 16;
    if (!program.refusal(h100().maxSharedBytesPerBlock))
      // Where stages are then too large for as many blocks at once, a block's
      // stages hold a smaller part of a multiprocessor's work.
      EXPECT_GE(pipelineCost(program, splits, rows, K, N, h100()), 0.85 * here)
          << "more scales to read";
  });
  PackedProgram program;
  program.bits = 4;
  program.groupRows = 128;
  program.blockM = 8;
  program.blockN = 64;
  program.blockK = 128;
  program.warps = 4;
  program.prefetch = 0;
  double before = INFINITY;
  for (int stages : {2, 3, 4, 8}) {
    program.stages = stages;
    double cost = pipelineCost(program, 1, 1, 16384, 132 * 64, h100());
    EXPECT_LT(cost, before) << stages;
    before = cost;
  }
}

} // namespace
