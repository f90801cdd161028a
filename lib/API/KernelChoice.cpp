//===- API/KernelChoice.cpp - Which kernel a layer runs -------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See KernelChoice.h.
//
//===----------------------------------------------------------------------===//

#include "API/KernelChoice.h"

using namespace nibble;

/// Rows of a block for each bucket: a block computes all of its rows. The host
/// makes no use of the last two buckets.
static constexpr int64_t hostRows[] = {1, 2, 4, 16};
static constexpr int64_t gpuRows[bucketCount] = {16, 32, 64, 64, 128, 128};
/// The smallest M of each bucket on a GPU.
static constexpr int64_t gpuFirst[bucketCount] = {1, 17, 33, 65, 129, 513};

int nibble::bucketOf(int64_t rows, bool host) {
  int bucket = 0;
  if (host)
    while (bucket + 1 < static_cast<int>(std::size(hostRows)) &&
           hostRows[bucket + 1] <= rows)
      ++bucket;
  else
    while (bucket + 1 < bucketCount && gpuFirst[bucket + 1] <= rows)
      ++bucket;
  return bucket;
}

/// The group size of layers with one group, so that they share kernels
/// whatever their K is.
static constexpr int64_t oneGroup = int64_t(1) << 30;

namespace {
/// The part of a configuration that is a choice.
struct Blocks {
  int64_t m, n, k;
  int warps;
};
} // namespace

static KernelConfig configFor(const model::Layer &layer, DType type,
                              Blocks blocks, const KernelConfig &overrides) {
  auto choose = [&](const char *name, int64_t &value) {
    if (auto found = overrides.params.find(name);
        found != overrides.params.end())
      value = found->second;
  };
  int64_t groupM = 8;
  choose("BLOCK_M", blocks.m);
  choose("BLOCK_N", blocks.n);
  choose("BLOCK_K", blocks.k);
  choose("GROUP_M", groupM);
  if (overrides.warps)
    blocks.warps = overrides.warps;
  KernelConfig config;
  bool groupIsRead = layer.groups == 1 || layer.actOrder;
  config.params = {{"BITS", layer.bits},
                   {"GROUP_SIZE", groupIsRead ? oneGroup : layer.groupSize},
                   {"ACT_ORDER", layer.actOrder},
                   {"HAS_BIAS", !layer.bias.empty()},
                   {"BLOCK_M", blocks.m},
                   {"BLOCK_N", blocks.n},
                   {"BLOCK_K", blocks.k},
                   {"GROUP_M", groupM}};
  const char *half = type == DType::BF16 ? "bf16" : "f16";
  config.types = {{"X", dtypeName(type)}, {"T", half}, {"Y", half}};
  config.warps = blocks.warps;
  // Facts that leave masks out, only where they hold.
  if (blocks.n > 0 && layer.outFeatures % blocks.n == 0)
    config.multiples["N"] = blocks.n;
  if (blocks.k > 0 && layer.inFeatures % blocks.k == 0)
    config.multiples["K"] = blocks.k;
  return config;
}

static CompileRequest requestFor(const KernelConfig &config,
                                 const std::string &target) {
  CompileRequest request;
  request.kernel = "matmul_248";
  request.config = config.str();
  request.target = target;
  return request;
}

CompileRequest nibble::hostRequest(const model::Layer &layer, CallKind kind,
                                   const KernelConfig &overrides) {
  // Columns of a block: enough for all accumulators of a row, and fewer for
  // more rows, which share them. Rows of K: what unrolled code can bear.
  int64_t rows = hostRows[kind.bucket];
  Blocks blocks = {rows, rows == 1 ? 256 : 128, 16, 1};
  return requestFor(configFor(layer, kind.type, blocks, overrides), "host");
}

CompileRequest nibble::gpuRequest(const model::Layer &layer, CallKind kind,
                                  const std::string &target,
                                  int multiprocessors,
                                  const KernelConfig &overrides) {
  Blocks blocks = {gpuRows[kind.bucket], 64, 64, 4};
  if (blocks.m == 128)
    blocks = {128, 128, 32, 8};
  // Few columns: narrower blocks, so that more multiprocessors take part.
  while (blocks.m <= 32 && blocks.n > 32 &&
         layer.outFeatures / blocks.n < 2 * multiprocessors)
    blocks = {blocks.m, blocks.n / 2, blocks.k * 2, 2};
  KernelConfig config = configFor(layer, kind.type, blocks, overrides);
  for (const char *name : {"qweight", "scales"})
    config.alignments[name] = 16;
  if (layer.outFeatures % 8 != 0)
    config.alignments["scales"] = 8;
  if (kind.aligned) {
    config.alignments["x"] = 16;
    config.alignments["y"] = 4;
  }
  return requestFor(config, target);
}
