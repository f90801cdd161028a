//===- API/PackedCost.cpp - How long a pipeline takes --------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See PackedCost.h.
//
//===----------------------------------------------------------------------===//

#include "API/PackedCost.h"
#include "API/Floor.h"
#include <algorithm>
#include <cmath>

using namespace nibble;
using layout::PackedProgram;

static double ceilDiv(int64_t a, int64_t b) {
  return static_cast<double>((a + b - 1) / b);
}

/// Blocks of a multiprocessor at a time.
static double blocksAtOnce(const PackedProgram &program,
                           const driver::DeviceProperties &device) {
  // A block's own kilobyte included.
  int64_t shared = static_cast<int64_t>(device.maxSharedBytesPerBlock) + 1024;
  int64_t registers = 168;
  if (!program.givesRegisters()) {
    registers = program.registers() + PackedProgram::otherRegisters;
    // ptxas takes more than is counted where there are more rows.
    if (!program.wgmma)
      registers += 2 * (program.tokens() - 1);
    registers = (registers + 7) / 8 * 8;
  }
  // Each of four schedulers has 512 registers for a lane of its warps.
  int64_t blocks = std::min({shared / (program.sharedBytes() + 1024),
                             512 / registers * 128 / program.threads(),
                             2048 / program.threads()});
  return static_cast<double>(std::max<int64_t>(blocks, 1));
}

/// Instructions of a lane that turn 16 rows of a tile of 16 columns into a
/// fragment, without scales.
static double decodeInstructions(int64_t bits) {
  return bits == 3 ? 10.7 : bits == 4 ? 9 : 8.5;
}

bool nibble::hasFastMemory(const driver::DeviceProperties &device) {
  return peakRate(device) > 4.2e6;
}

double nibble::pipelineCost(const PackedProgram &program, int splits,
                            int64_t rows, int64_t K, int64_t N,
                            const driver::DeviceProperties &device) {
  // Cycles of a multiprocessor at the clock it runs at.
  constexpr double cyclesPerMicrosecond = 1700;
  // Bytes a microsecond.
  const bool fast = hasFastMemory(device);
  const double memoryRate = fast ? 4.1e6 : 3.16e6;
  constexpr double cacheRate = 9.2e6;
  constexpr double n = 2.4;

  double blocksOfRows = ceilDiv(rows, program.blockM);
  double blocks = blocksOfRows * ceilDiv(N, program.blockN) * splits;
  double processors = device.multiprocessors;
  double most = std::ceil(blocks / processors);
  double atOnce = blocksAtOnce(program, device);
  double waves = std::ceil(blocks / (processors * atOnce));
  double together = std::clamp(blocks / processors, 1.0, atOnce);
  double steps = ceilDiv(K, PackedProgram::warpRows) / splits;
  auto tiles = static_cast<double>(program.tiles());
  auto warpsN = static_cast<double>(program.warpsN());
  auto warpsK = static_cast<double>(program.warpsK());
  auto tokens = static_cast<double>(program.tokens());
  auto blockM = static_cast<double>(program.blockM);
  // Steps of 16 rows in one of 128.
  constexpr double mmas = PackedProgram::warpSteps;
  double decode = decodeInstructions(program.bits);

  // Of a step, for each of a multiprocessor's four schedulers, with what its
  // tensor core adds; and a warp's way through one.
  double busy, latency, held;
  if (program.wgmma) {
    // What scales sums takes some cycles more a step, and fewer a tile.
    bool sums = program.scalesSums();
    double step = sums ? 100 : 0, scale = sums ? 2 : 4, row = sums ? 3.1 : 4.9;
    busy =
        step + 1.17 * warpsN * tiles * (mmas * (decode + scale) + row * blockM);
    latency = 2 * tiles * (94.5 + 2.57 * blockM);
    held = 0.836 * warpsK;
  } else {
    double instructions =
        tiles * (mmas * decode + blockM / 2) + 14 * tokens * (mmas * tiles + 4);
    busy = 0.45 / 4 * warpsN * instructions;
    latency = 0.515 * instructions;
    held = 0;
  }
  double work =
      std::max(most * steps * busy, waves * steps / warpsK * latency) /
      cyclesPerMicrosecond;
  // Each free stage brings a step in so many microseconds.
  const double arrival = fast ? 0.65 : 0.724;
  auto allStages = static_cast<double>(program.stages);
  double stages = std::max(allStages - held, 0.5);
  double flight = most * steps * arrival / (std::min(most, atOnce) * stages);

  double weights =
      static_cast<double>(K * N * program.bits) / 8 *
      (1 + 32.0 / static_cast<double>(program.bits) /
               static_cast<double>(std::min(program.groupRows, K)));
  double x = static_cast<double>(rows * K) * 2 * ceilDiv(N, program.blockN);
  // Blocks that run together on a multiprocessor read the same rows at about
  // the same time, in part by the same requests.
  if (blocksOfRows == 1)
    x /= std::sqrt(together);
  double body = 0;
  for (double part : {weights / memoryRate,
                      (blocksOfRows * weights + x) / cacheRate, work, flight})
    body += std::pow(part, n);
  // All stages of a block fill at once, each after those of all others: where
  // they hold much of its steps, so much of the work comes when all is read.
  double filled = std::min(allStages / steps, 1.0);
  double late = 0.9 * work * filled * filled / waves;
  // While a block ends and the next begins only those beside it read.
  double ends = 0.3 + 0.3 / together;
  // A wave begins and ends while less is read.
  double more = 1.53 * std::max(blocks / (processors * atOnce) - 1, 0.0);
  double cluster = splits > 1 ? 1.58 : 0;
  // Of x that is held each column takes 16 bytes, of which a multiprocessor
  // writes 128 a cycle before its blocks' first products; while much is read
  // for others, less is waited for.
  double holding = 0;
  if (program.holds()) {
    double written = most * static_cast<double>(K) * 16;
    holding = 0.2 + written / 128 / cyclesPerMicrosecond /
                        (1 + 0.5 * weights / memoryRate);
  }
  return std::pow(body, 1 / n) + late + ends + more + cluster + holding;
}
