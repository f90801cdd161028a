//===- PackedProgramTest.cpp - Programs that read packed weights ----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Layout/PackedProgram.h"
#include <gtest/gtest.h>

using namespace nibble::layout;

namespace {

constexpr int64_t h100Bytes = 227 << 10;

PackedProgram program() {
  PackedProgram program;
  program.bits = 4;
  program.groupRows = 128;
  program.blockM = 8;
  program.blockN = 64;
  program.blockK = 1024;
  program.warps = 8;
  program.stages = 3;
  program.prefetch = 1;
  return program;
}

PackedProgram pipeline() {
  PackedProgram pipeline = program();
  pipeline.blockM = 16;
  pipeline.blockK = 256;
  pipeline.warps = 4;
  pipeline.stages = 4;
  pipeline.prefetch = 0;
  return pipeline;
}

PackedProgram wgmma() {
  PackedProgram program = pipeline();
  program.blockM = program.blockN = 128;
  program.blockK = 128;
  program.warps = 8;
  program.wgmma = true;
  return program;
}

TEST(PackedProgram, DividesItsBlock) {
  PackedProgram p = program();
  EXPECT_EQ(p.refusal(h100Bytes), std::nullopt);
  EXPECT_EQ(p.warpsK(), 8);
  EXPECT_EQ(p.warpsN(), 1);
  EXPECT_EQ(p.tiles(), 4);
  EXPECT_EQ(p.units(), 2);
  EXPECT_EQ(p.stageBytes(), 1024 * 8 * 2);
  // A warp's 128 rows have one scale, several, or one for each 16 rows.
  for (auto [groupRows, steps] :
       {std::pair(128, 8), std::pair(256, 8), std::pair(1 << 30, 8),
        std::pair(64, 4), std::pair(32, 2), std::pair(16, 1), std::pair(80, 1),
        std::pair(48, 1)}) {
    p.groupRows = groupRows;
    EXPECT_EQ(p.stepsPerScale(), steps) << groupRows;
  }
}

TEST(PackedProgram, KeepsTheWordsOfItsRowsInRegisters) {
  PackedProgram p = program();
  int64_t others = p.registers() - p.tiles() * p.laneWords();
  for (auto [bits, words] :
       {std::pair(2, 4), std::pair(3, 6), std::pair(4, 8), std::pair(8, 16)}) {
    p.bits = bits;
    EXPECT_EQ(p.laneWords(), words) << bits;
    EXPECT_EQ(p.registers(), others + 4 * words) << bits;
  }
}

TEST(PackedProgram, PipelineHasWarpsThatFillItsStages) {
  PackedProgram p = pipeline();
  EXPECT_EQ(p.refusal(h100Bytes), std::nullopt);
  EXPECT_EQ(p.warpsK(), 2);
  EXPECT_EQ(p.warpsN(), 2);
  EXPECT_EQ(p.tiles(), 2);
  EXPECT_EQ(p.multipliers(), 4 * 32);
  // More together bring more rows of x.
  for (auto [rows, stagers] : {std::pair(8, 32), std::pair(16, 32),
                               std::pair(32, 64), std::pair(64, 128)}) {
    p.blockM = rows;
    EXPECT_EQ(p.stagers(), stagers) << rows;
    EXPECT_EQ(p.teams(), 128 / stagers) << rows;
    EXPECT_EQ(p.threads(), 4 * 32 + 128) << rows;
  }
  // A team always fills the same stages.
  p.blockM = 16;
  for (auto [stages, teams] :
       {std::pair(2, 2), std::pair(3, 3), std::pair(5, 1), std::pair(6, 3),
        std::pair(7, 1), std::pair(10, 2), std::pair(12, 4),
        std::pair(16, 4)}) {
    p.stages = stages;
    EXPECT_EQ(p.teams(), teams) << stages;
    EXPECT_EQ(p.threads(), (4 + teams) * 32) << stages;
  }
  // Not with a warp more than find registers: of 16 warps each scheduler has
  // four, of 17 to 20 one has five.
  p.stages = 4;
  for (auto [warps, columns, teams, registers] :
       {std::tuple(7, 112, 4, 168), std::tuple(14, 224, 2, 128),
        std::tuple(16, 256, 4, 96)}) {
    p.warps = warps;
    p.blockN = columns;
    p.blockK = 128;
    EXPECT_EQ(p.teams(), teams) << warps;
    EXPECT_EQ(p.mostRegisters(), registers) << warps;
  }
  // With weights in registers all warps bring x and multiply.
  p = program();
  EXPECT_EQ(p.stagers(), p.threads());
  EXPECT_EQ(p.multipliers(), p.threads());
}

TEST(PackedProgram, FourWarpsOfWgmmaTakeTheirTilesTogether) {
  PackedProgram p = wgmma();
  EXPECT_EQ(p.refusal(h100Bytes), std::nullopt);
  EXPECT_EQ(p.tileWidth(), 64);
  EXPECT_EQ(p.warpsK(), 1);
  EXPECT_EQ(p.warpsN(), 2);
  EXPECT_EQ(p.tiles(), 1);
  // Four warps bring weights and x.
  EXPECT_EQ(p.threads(), (8 + 4) * 32);
  EXPECT_FALSE(p.scalesSums());
  // Those that multiply get the registers that those four can spare, and all
  // fit into a multiprocessor: 40 is what is left to each of the four's.
  EXPECT_TRUE(p.givesRegisters());
  EXPECT_EQ(p.mostRegisters() % 8, 0);
  EXPECT_EQ(p.teams(), 1);
  EXPECT_LE(p.multipliers() * p.mostRegisters() + p.stagers() * 40, 65536);
  p.blockM = 64;
  EXPECT_FALSE(p.givesRegisters());
  EXPECT_LE(p.threads() * p.mostRegisters(), 65536);
}

/// Of few rows, and of some more in bf16, where a step is of one group and
/// registers hold the sums twice.
TEST(PackedProgram, WgmmaScalesSums) {
  PackedProgram p = wgmma();
  p.blockM = 32;
  int64_t before = p.wgmmaRegisters();
  EXPECT_TRUE(p.scalesSums());
  EXPECT_EQ(p.registers(), before + p.sums());
  p.blockM = 64;
  EXPECT_FALSE(p.scalesSums());
  EXPECT_EQ(p.registers(), p.wgmmaRegisters());
  p.bf16 = true;
  EXPECT_TRUE(p.scalesSums());
  p.groupRows = 64;
  EXPECT_FALSE(p.scalesSums());
  p.groupRows = 128;
  p.warps = 16;
  p.blockN = 256;
  EXPECT_EQ(p.refusal(h100Bytes), std::nullopt);
  EXPECT_FALSE(p.scalesSums());
  p.blockM = 32;
  EXPECT_TRUE(p.scalesSums());
}

/// What is copied into a stage does not overlap, and swizzled pieces begin
/// where their swizzle does.
TEST(PackedProgram, StagesHoldWhatIsCopiedIntoThem) {
  for (PackedProgram p : {pipeline(), wgmma()})
    for (int bits : {2, 3, 4, 8})
      for (int64_t groupRows : {16, 32, 48, 128, 1 << 30}) {
        p.bits = bits;
        p.groupRows = groupRows;
        // 128 rows of x, two bytes each; of weights, `bits` bits each; of 16
        // columns 64 bytes of scales and zero points.
        EXPECT_EQ(p.xBytes(), 128 * p.blockM * 2);
        EXPECT_EQ(p.codeBytes(), 128 * p.blockN * bits / 8);
        int64_t scales = p.scalesPerStep() * p.blockN / 16 * 64;
        int64_t least = p.xBytes() + p.codeBytes() + scales;
        EXPECT_GE(p.stageBytes(), least);
        EXPECT_LT(p.stageBytes(), least + 1024);
        EXPECT_EQ(p.stageBytes() % 1024, 0);
        // A step's scales: one, or as many as groups begin in 128 rows.
        EXPECT_EQ(p.scalesPerStep(), groupRows == 48   ? 8
                                     : groupRows < 128 ? 128 / groupRows
                                                       : 1);
        // Bulk copies are of 16 bytes each.
        EXPECT_EQ(p.unitBytes() % 16, 0);
        EXPECT_GE(p.sharedBytes(),
                  1024 + p.stages * p.stageBytes() + p.stages * 2 * 8);
      }
  // Wide blocks need more for their sums than for stages.
  PackedProgram p = pipeline();
  p.blockK = 512;
  p.blockN = 256;
  p.blockM = 64;
  p.warps = 16;
  p.bits = 2;
  p.stages = 8;
  EXPECT_GT(p.sumBytes(), p.stages * p.stageBytes());
  EXPECT_GE(p.sharedBytes(), p.sumBytes() + 1024 + p.stages * 16);
}

/// x that is held is not in the stages, which have a part of the permutation.
TEST(PackedProgram, HoldsPiecesOfColumns) {
  PackedProgram p = pipeline(), held = p;
  held.heldRows = 3;
  held.heldColumns = 1000;
  // Of 8 rows 16 bytes of each column, and of eight more.
  EXPECT_EQ(held.tokens(), p.blockM / 8);
  EXPECT_EQ(held.heldPitch(), (1000 + 8) * 16);
  EXPECT_EQ(held.heldBytes(), held.tokens() * held.heldPitch());
  EXPECT_EQ(held.xBytes(), 0);
  EXPECT_GE(held.stageBytes(),
            p.stageBytes() - p.xBytes() - 1024 + 128 * int64_t(4));
  EXPECT_LT(held.stageBytes(), p.stageBytes());
  EXPECT_EQ(held.sharedBytes(),
            1024 + held.stages * (held.stageBytes() + 16) + held.heldBytes());
  EXPECT_EQ(p.heldBytes(), 0);
  // The threads that bring it have two pieces of each row in registers.
  EXPECT_EQ(held.registers(), p.registers());
  held.heldRows = 8;
  EXPECT_EQ(held.registers(), std::max(p.registers(), int64_t(8 * 2 * 4)));
}

TEST(PackedProgram, SaysWhyNot) {
  auto whyNot = [](PackedProgram p, auto change, int64_t bytes) {
    change(p);
    return p.refusal(bytes).value_or("");
  };
  auto why = [&](auto change) { return whyNot(program(), change, h100Bytes); };
  using P = PackedProgram;
  EXPECT_EQ(why([](P &p) { p.groupRows = 24; }),
            "has groups of 24 rows, not a multiple of 16");
  for (int64_t rows : {0, 4, 72})
    EXPECT_EQ(why([&](P &p) { p.blockM = rows; }),
              "has " + std::to_string(rows) +
                  " rows, not a multiple of 8 up to 64");
  EXPECT_EQ(why([](P &p) { p.blockK = 0; }),
            "has 0 steps over K, not a multiple of 128");
  EXPECT_EQ(why([](P &p) { p.blockK = 384; }),
            "has 384 steps over K, which 8 warps cannot divide into parts of "
            "128");
  EXPECT_EQ(why([](P &p) { p.blockN = 40; }),
            "has 40 columns, which 1 warps cannot divide into tiles of 16");
  EXPECT_EQ(why([](P &p) {
              p.bits = 3;
              p.blockN = 48;
            }),
            "has 48 columns, not a multiple of the 32 whose zero points of 3 "
            "bits fill words");
  EXPECT_EQ(why([](P &p) { p.stages = 1; }),
            "has 1 stages, expected at least 2");
  EXPECT_EQ(why([](P &p) { p.blockM = 64; }),
            "needs 393216 bytes of shared memory, more than 232448");
  EXPECT_EQ(why([](P &p) { p.prefetch = 6; }),
            "keeps 276 registers a thread, more than the 231 of 256 threads");

  auto whyPipeline = [&](auto change, int64_t bytes = h100Bytes) {
    return whyNot(pipeline(), change, bytes);
  };
  EXPECT_EQ(whyPipeline([](P &p) { p.blockM = 72; }),
            "has 72 rows, not a multiple of 8 up to 64");
  for (int stages : {2, 5})
    EXPECT_EQ(whyPipeline([&](P &p) { p.stages = stages; }),
              "has " + std::to_string(stages) +
                  " stages for 2 parts of K, not a multiple of which there are "
                  "at least 2 each");
  EXPECT_EQ(whyPipeline([](P &p) {
              p.warps = 32;
              p.blockN = 512;
            }),
            "has 1152 threads, more than 1024");
  EXPECT_EQ(whyPipeline([](P &) {}, 32 << 10),
            "needs 37952 bytes of shared memory, more than 32768");

  EXPECT_EQ(whyPipeline([](P &p) {
              p.heldRows = 1;
              p.heldColumns = 1 << 17;
            }),
            "needs 4216128 bytes of shared memory, more than 232448");
  EXPECT_EQ(why([](P &p) { p.heldColumns = 128; }),
            "holds x in shared memory, which needs prefetch=0 and no wgmma");

  auto whyWgmma = [&](auto change) {
    return whyNot(wgmma(), change, h100Bytes);
  };
  EXPECT_EQ(whyWgmma([](P &p) { p.prefetch = 1; }),
            "multiplies by wgmma, which needs prefetch=0");
  EXPECT_EQ(whyWgmma([](P &p) { p.heldColumns = 128; }),
            "holds x in shared memory, which needs prefetch=0 and no wgmma");
  EXPECT_EQ(whyWgmma([](P &p) { p.blockM = 264; }),
            "has 264 rows, not a multiple of 8 up to 256");
  EXPECT_EQ(whyWgmma([](P &p) { p.warps = 6; }),
            "has 6 warps, of which wgmma takes 4 at a time");
  EXPECT_EQ(
      whyWgmma([](P &p) { p.blockK = 512; }),
      "has 512 steps over K, which 2 groups of 4 warps cannot divide into "
      "parts of 128");
  EXPECT_EQ(
      whyWgmma([](P &p) { p.blockN = 64; }),
      "has 64 columns, which 2 groups of 4 warps cannot divide into tiles "
      "of 64");
  EXPECT_EQ(whyWgmma([](P &p) { p.blockM = p.blockN = 256; }),
            "keeps 296 registers a thread, more than the 208 of 384 threads");
}

} // namespace
