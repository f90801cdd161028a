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

TEST(PackedProgram, SaysWhyNot) {
  auto why = [](auto change, int64_t bytes = h100Bytes) {
    PackedProgram p = program();
    change(p);
    return p.refusal(bytes).value_or("");
  };
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
}

} // namespace
