//===- API/PackedChoice.cpp - Programs for packed weights ----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See PackedChoice.h.
//
//===----------------------------------------------------------------------===//

#include "API/PackedChoice.h"
#include "API/KernelChoice.h"
#include "API/PackedCost.h"
#include "Model/PackedWeights.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/MathExtras.h"
#include <tuple>
#include <utility>

using namespace nibble;
using layout::PackedProgram;

static int64_t shared(const driver::DeviceProperties &device) {
  return static_cast<int64_t>(device.maxSharedBytesPerBlock);
}

/// Bulk copies, barriers that count them, and launches that overlap.
static bool hasPipelines(const driver::DeviceProperties &device) {
  return device.computeCapability >= 90;
}

/// It is sm_90a's alone.
static bool hasWgmma(const driver::DeviceProperties &device) {
  return device.computeCapability == 90;
}

/// The configuration of `program`. A call begins before the one before on the
/// stream has ended where the device lets it: it reads weights meanwhile.
static KernelConfig configOf(const PackedProgram &program, int splits,
                             const driver::DeviceProperties &device) {
  KernelConfig config;
  config.params = {{"BLOCK_M", program.blockM},
                   {"BLOCK_N", program.blockN},
                   {"BLOCK_K", program.blockK}};
  config.warps = program.warps;
  config.stages = program.stages;
  config.prefetch = program.prefetch;
  config.splits = splits;
  config.wgmma = program.wgmma;
  config.packed = 1;
  config.overlap = hasPipelines(device);
  return config;
}

PackedProgram nibble::programOf(const model::Layer &layer,
                                const KernelConfig &config) {
  PackedProgram program;
  program.bits = layer.bits;
  program.groupRows = model::packedGroupRows(layer);
  program.blockM = config.params.at("BLOCK_M");
  program.blockN = config.params.at("BLOCK_N");
  program.blockK = config.params.at("BLOCK_K");
  program.warps = config.warps;
  program.stages = config.stages;
  program.prefetch = config.prefetch;
  program.wgmma = config.wgmma;
  return program;
}

/// The block of rows of mma.sync that holds `rows`.
static int64_t blockOf(int64_t rows) {
  return rows <= 8 ? 8 : rows <= 16 ? 16 : rows <= 32 ? 32 : 64;
}

/// Steps over K of a warp.
static int64_t stepsOf(const model::Layer &layer) {
  return llvm::divideCeilSigned(layer.inFeatures, PackedProgram::warpRows);
}

//===----------------------------------------------------------------------===//
// Weights in registers
//===----------------------------------------------------------------------===//

namespace {
/// How the columns and the rows of K of a program are divided, and how far
/// ahead it reads.
struct PackedShape {
  int64_t tiles, warpsN, warpsK;
  int stages, prefetch;
};
} // namespace

/// The program of `shape` for a layer and some rows.
static PackedProgram packedProgram(const PackedShape &shape, int64_t rows,
                                   const model::Layer &layer,
                                   int64_t groupRows) {
  // No more warps along K than it has steps.
  int64_t steps = stepsOf(layer);
  int64_t warpsK = std::min<int64_t>(
      shape.warpsK, static_cast<int64_t>(llvm::PowerOf2Ceil(steps)));
  PackedProgram program;
  program.bits = layer.bits;
  program.groupRows = groupRows;
  program.blockM = blockOf(rows);
  program.blockN = shape.tiles * shape.warpsN * PackedProgram::tileColumns;
  program.blockK = warpsK * PackedProgram::warpRows;
  program.warps = static_cast<int>(shape.warpsN * warpsK);
  program.stages = shape.stages;
  program.prefetch = shape.prefetch;
  return program;
}

/// Programs in the order in which they are tried for so many rows, `tiles`
/// tiles of columns and multiprocessors: the one that was fastest on an H100
/// 80GB HBM3 (bench/results/2026-11-24-h100-tuning.json), then the rest.
static llvm::SmallVector<PackedShape> packedShapes(int64_t rows, int64_t tiles,
                                                   int64_t multiprocessors) {
  auto upTo = [&](int64_t perProcessor) {
    return tiles <= perProcessor * multiprocessors;
  };
  if (rows <= 8)
    return {upTo(2)   ? PackedShape{1, 1, 8, 3, 2}
            : upTo(4) ? PackedShape{2, 1, 8, 3, 2}
                      : PackedShape{4, 1, 8, 3, 1},
            {2, 1, 16, 3, 2},
            {2, 1, 16, 3, 1},
            {2, 1, 8, 3, 2},
            {1, 1, 8, 3, 2},
            {4, 1, 8, 3, 1},
            {4, 1, 4, 3, 2},
            {2, 2, 8, 3, 2},
            {2, 7, 2, 3, 2},
            {1, 1, 8, 3, 1},
            {1, 1, 4, 3, 1}};
  if (rows <= 16)
    return {upTo(2)   ? PackedShape{1, 2, 8, 3, 2}
            : upTo(4) ? PackedShape{2, 2, 8, 3, 2}
            : upTo(7) ? PackedShape{4, 2, 4, 3, 2}
                      : PackedShape{2, 7, 2, 3, 2},
            {1, 7, 2, 3, 3},
            {2, 1, 8, 3, 2},
            {1, 2, 8, 3, 2},
            {2, 2, 8, 3, 2},
            {4, 1, 8, 3, 1},
            {4, 2, 4, 3, 2},
            {2, 4, 4, 3, 2},
            {2, 7, 2, 3, 2},
            {1, 1, 8, 3, 1},
            {1, 1, 4, 3, 1}};
  if (rows <= 32)
    return {upTo(2)   ? PackedShape{1, 2, 8, 3, 2}
            : upTo(4) ? PackedShape{2, 2, 4, 3, 2}
            : upTo(7) ? PackedShape{2, 4, 2, 3, 2}
                      : PackedShape{2, 7, 2, 3, 2},
            {1, 7, 2, 3, 3},
            {1, 2, 8, 3, 2},
            {2, 2, 4, 3, 2},
            {2, 4, 2, 3, 2},
            {2, 4, 4, 3, 1},
            {2, 8, 1, 3, 2},
            {2, 7, 2, 3, 2},
            {1, 2, 4, 3, 1},
            {1, 1, 4, 3, 1}};
  return {upTo(4)   ? PackedShape{2, 2, 4, 3, 2}
          : upTo(7) ? PackedShape{2, 4, 2, 3, 2}
                    : PackedShape{2, 8, 1, 3, 2},
          {2, 2, 4, 3, 2},
          {1, 4, 4, 3, 2},
          {2, 4, 2, 3, 2},
          {1, 7, 2, 3, 2},
          {2, 7, 1, 3, 2},
          {1, 8, 2, 3, 2},
          {2, 8, 1, 3, 2},
          {1, 4, 2, 3, 1},
          {1, 4, 1, 3, 1},
          {1, 2, 1, 2, 1}};
}

std::vector<PackedChoice>
nibble::registerChoices(const model::Layer &layer, int64_t rows,
                        const driver::DeviceProperties &device) {
  std::vector<PackedChoice> choices;
  int64_t groupRows = model::packedGroupRows(layer);
  if (rows > PackedProgram::mostRows || !groupRows)
    return choices;
  for (const PackedShape &shape : packedShapes(
           rows, (layer.outFeatures + 15) / 16, device.multiprocessors)) {
    PackedProgram program = packedProgram(shape, rows, layer, groupRows);
    KernelConfig config = configOf(program, /*splits=*/1, device);
    if (llvm::none_of(choices, [&](const PackedChoice &each) {
          return each.config == config;
        }))
      choices.push_back({std::move(config), program.refusal(shared(device))});
  }
  return choices;
}

//===----------------------------------------------------------------------===//
// Pipelines
//===----------------------------------------------------------------------===//

namespace {
/// A pipeline among others.
struct Candidate {
  PackedProgram program;
  int splits;
  std::optional<std::string> refusal;
  double cost = 0;
};
} // namespace

/// As many stages as fit into `bytes`, at least two a part of K, and where
/// there are more than four a number that several teams can fill in turn.
static int stagesFor(PackedProgram program, int64_t bytes) {
  constexpr int64_t most = 24;
  int64_t turns = program.warpsK();
  int64_t stages = std::min(most, bytes / (program.stageBytes() + 16));
  program.stages =
      static_cast<int>(std::max(stages / turns, int64_t(2)) * turns);
  PackedProgram fewer = program;
  --fewer.stages;
  bool alone = program.teams() == 1 && fewer.teams() > 1;
  return turns == 1 && program.stages > 4 && alone ? fewer.stages
                                                   : program.stages;
}

/// Why a candidate has too little to divide, or nothing to gain from it.
static std::optional<std::string> dividesInVain(const PackedProgram &program,
                                                int splits, int64_t rows,
                                                const model::Layer &layer,
                                                int multiprocessors) {
  int64_t steps = stepsOf(layer);
  int64_t divided = program.warpsK() * splits;
  if (divided > 1 && steps < divided)
    return "divides " + std::to_string(steps) + " steps over K into " +
           std::to_string(divided) + " parts";
  int64_t blocks = llvm::divideCeilSigned(rows, program.blockM) *
                   llvm::divideCeilSigned(layer.outFeatures, program.blockN);
  if (splits > 1 && blocks >= multiprocessors)
    return "divides K of " + std::to_string(blocks) + " blocks, enough for " +
           std::to_string(multiprocessors) + " multiprocessors";
  return std::nullopt;
}

/// Bytes of stages that are tried. Up to 16 rows a long way over K, by a block
/// alone on its multiprocessor, wants the most of them, many columns or few
/// bits the least; with more rows than 16 most only made it slower. With wgmma,
/// whose stages hold more x, up to all that one block, or each of two, can
/// have.
static constexpr int64_t mmaBytes[] = {48 << 10, 64 << 10, 86 << 10, 172 << 10},
                         wgmmaBytes[] = {86 << 10, 111 << 10, 222 << 10};

/// All pipelines whose blocks are of `blockM` rows.
static void addPipelines(llvm::SmallVectorImpl<Candidate> &candidates,
                         PackedProgram program, int64_t blockM, bool wgmma,
                         int64_t rows, const model::Layer &layer,
                         const driver::DeviceProperties &device) {
  program.blockM = blockM;
  program.prefetch = 0;
  program.wgmma = wgmma;
  llvm::ArrayRef<int64_t> budgets = mmaBytes;
  if (wgmma)
    budgets = wgmmaBytes;
  else if (blockM > 16)
    budgets = budgets.drop_back();
  for (int64_t tiles : {1, 2, 4})
    for (int64_t warpsN : {1, 2, 4, 7})
      for (int64_t warpsK : {1, 2, 4, 8}) {
        int64_t warps = warpsN * warpsK * program.unitWarps();
        // More, or fewer than a multiprocessor has schedulers, never won, nor
        // several tiles of so many rows.
        if (warps > 16 || warps < 4 || (wgmma && blockM >= 128 && tiles > 1))
          continue;
        program.warps = static_cast<int>(warps);
        program.blockN = tiles * warpsN * program.tileWidth();
        program.blockK = warpsK * PackedProgram::warpRows;
        int before = 0;
        for (int64_t bytes : budgets) {
          program.stages = stagesFor(program, bytes);
          int64_t most = std::max<int64_t>(bytes, 104 << 10);
          if (std::exchange(before, program.stages) == program.stages ||
              program.stages * program.stageBytes() > most)
            continue;
          for (int splits : {1, 2}) {
            std::optional<std::string> refusal =
                program.refusal(shared(device));
            if (!refusal)
              refusal = dividesInVain(program, splits, rows, layer,
                                      device.multiprocessors);
            candidates.push_back({program, splits, std::move(refusal)});
          }
        }
      }
}

bool nibble::sortsColumns(const model::Layer &layer,
                          const driver::DeviceProperties &device) {
  return layer.actOrder && hasPipelines(device);
}

/// `program` as it holds x in calls of `bucket` of a layer that sortsColumns(),
/// nothing if x is sorted.
static std::optional<PackedProgram>
holding(const model::Layer &layer, int bucket, PackedProgram program,
        const driver::DeviceProperties &device) {
  // More rows, or more bytes, take longer to hold than to sort
  // (docs/measurements.md).
  constexpr int64_t mostRows = 5, mostBytes = 96 << 10;
  int64_t rows = lastRows(bucket);
  if (rows > mostRows || layer.inFeatures % 8 != 0 || !program.pipelined() ||
      program.wgmma)
    return std::nullopt;
  program.heldRows = std::min(rows, program.blockM);
  program.heldColumns = layer.inFeatures;
  if (program.heldBytes() > mostBytes || program.refusal(shared(device)))
    return std::nullopt;
  return program;
}

bool nibble::holdsColumns(const model::Layer &layer, int bucket,
                          const KernelConfig &config,
                          const driver::DeviceProperties &device) {
  return holding(layer, bucket, programOf(layer, config), device).has_value();
}

bool nibble::hasPackedChoices(const model::Layer &layer, int64_t rows,
                              const driver::DeviceProperties &device) {
  return model::packedGroupRows(layer) &&
         (hasWgmma(device) || rows <= PackedProgram::mostRows);
}

std::vector<PackedChoice>
nibble::packedChoices(const model::Layer &layer, int64_t rows,
                      const driver::DeviceProperties &device) {
  if (!hasPackedChoices(layer, rows, device))
    return {};
  int64_t groupRows = model::packedGroupRows(layer);
  if (!hasPipelines(device))
    return registerChoices(layer, rows, device);
  PackedProgram program;
  program.bits = layer.bits;
  program.groupRows = groupRows;
  llvm::SmallVector<Candidate> candidates;
  if (rows <= PackedProgram::mostRows)
    addPipelines(candidates, program, blockOf(rows), /*wgmma=*/false, rows,
                 layer, device);
  if (hasWgmma(device) && rows > 16)
    for (int64_t blockM : {32, 64, 96, 128, 192, 256})
      // The smallest that holds all rows, and smaller ones where none does.
      if (blockM >= 64 ? blockM < rows + 64 || blockM == 64
                       : blockM == blockOf(rows))
        addPipelines(candidates, program, blockM, /*wgmma=*/true, rows, layer,
                     device);
  bool sorts = sortsColumns(layer, device);
  int bucket = bucketOf(rows, /*host=*/false);
  for (Candidate &each : candidates) {
    if (each.refusal)
      continue;
    if (sorts) {
      if (auto held = holding(layer, bucket, each.program, device))
        each.program = *held;
      else
        each.cost = 0.8; // what the kernel before it takes
    }
    each.cost += pipelineCost(each.program, each.splits, rows, layer.inFeatures,
                              layer.outFeatures, device);
  }
  llvm::SmallVector<Candidate *> order;
  for (Candidate &each : candidates)
    order.push_back(&each);
  llvm::sort(order, [](const Candidate *a, const Candidate *b) {
    return std::tuple(a->refusal.has_value(), a->cost, a) <
           std::tuple(b->refusal.has_value(), b->cost, b);
  });
  std::vector<PackedChoice> choices;
  for (Candidate *each : order)
    choices.push_back({configOf(each->program, each->splits, device),
                       std::move(each->refusal)});
  return choices;
}

std::vector<KernelConfig>
nibble::runnable(const std::vector<PackedChoice> &choices) {
  std::vector<KernelConfig> configs;
  for (const PackedChoice &choice : choices)
    if (!choice.refusal)
      configs.push_back(choice.config);
  return configs;
}
