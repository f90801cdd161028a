//===- API/KernelChoice.cpp - Which kernel a layer runs -------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See KernelChoice.h.
//
//===----------------------------------------------------------------------===//

#include "API/KernelChoice.h"
#include "API/PackedChoice.h"
#include "Layout/PackedProgram.h"
#include "Model/PackedWeights.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>
#include <limits>
#include <numeric>

using namespace nibble;

/// The smallest M of each bucket on a GPU: where the tuner's power of two or
/// the best number of rows of a block changes.
static constexpr int64_t gpuFirst[bucketCount] = {
    1,  2,  3,   6,   9,   12,  17,   23,   33,  46,
    65, 91, 129, 182, 363, 725, 1449, 2897, 5793};
/// The same on the host, and rows of a block: a block computes all its rows.
static constexpr int64_t hostFirst[] = {1, 2, 4, 16};

static llvm::ArrayRef<int64_t> bucketStarts(bool host) {
  return host ? llvm::ArrayRef(hostFirst) : llvm::ArrayRef(gpuFirst);
}

int nibble::bucketsOf(bool host) {
  return static_cast<int>(bucketStarts(host).size());
}

int nibble::bucketOf(int64_t rows, bool host) {
  llvm::ArrayRef<int64_t> first = bucketStarts(host);
  return static_cast<int>(llvm::upper_bound(first, rows) - first.begin()) - 1;
}

int64_t nibble::tunedRows(int64_t rows) {
  auto power = static_cast<int>(std::log2(static_cast<double>(rows)) + 0.5);
  return int64_t(1) << std::min(power, 13);
}

int64_t nibble::firstRows(int bucket) { return gpuFirst[bucket]; }

int64_t nibble::lastRows(int bucket) {
  return bucket + 1 < bucketCount ? gpuFirst[bucket + 1] - 1
                                  : std::numeric_limits<int64_t>::max();
}

int64_t nibble::rowsToChooseFor(int bucket) {
  int64_t first = gpuFirst[bucket];
  if (first <= layout::PackedProgram::mostRows)
    return first; // a block holds all rows of its bucket
  int64_t last = lastRows(bucket);
  return last < 182 ? last : tunedRows(first);
}

/// The most configurations of the packed order that tuning looks at.
static constexpr size_t mostTuned = 24;

static bool sharesTuning(int64_t a, int64_t b) {
  constexpr int64_t most = layout::PackedProgram::mostRows;
  return tunedRows(a) == tunedRows(b) && (a <= most) == (b <= most);
}

int64_t nibble::tuningGroup(int64_t rows) {
  return *llvm::find_if(
      gpuFirst, [&](int64_t first) { return sharesTuning(first, rows); });
}

std::vector<int64_t> nibble::rowsToTune(int64_t first, int64_t last) {
  std::vector<int64_t> all;
  while (first <= last) {
    const int64_t *next = llvm::find_if(gpuFirst, [&](int64_t begin) {
      return begin > first && !sharesTuning(begin, first);
    });
    int64_t end = next == std::end(gpuFirst) ? last : std::min(*next - 1, last);
    all.push_back(std::clamp(tunedRows(first), first, end));
    first = end + 1;
  }
  return all;
}

int nibble::invariantBucket(bool host) {
  return bucketOf(host ? 4 : layout::PackedProgram::mostRows, host);
}

Result<KernelConfig> nibble::parseOverrides(const std::string &words) {
  Result<KernelConfig> config = KernelConfig::parse(words);
  if (!config.ok())
    return config;
  static constexpr std::string_view known[] = {"BLOCK_M", "BLOCK_N", "BLOCK_K",
                                               "GROUP_M"};
  for (const auto &[name, value] : config->params)
    if (!llvm::is_contained(known, name))
      return Status(ErrorCode::InvalidArgument,
                    "the configuration has " + name + "=" +
                        std::to_string(value) +
                        "; what can be chosen is BLOCK_M, BLOCK_N, BLOCK_K, "
                        "GROUP_M and warps");
  KernelConfig ordinary;
  if (!config->types.empty() || !config->multiples.empty() ||
      !config->alignments.empty() || !config->most.empty() ||
      config->packed > 1 || config->held ||
      (!config->packed && (config->stages != ordinary.stages ||
                           config->prefetch != ordinary.prefetch ||
                           config->wgmma || config->splits != ordinary.splits ||
                           config->overlap != ordinary.overlap)))
    return Status(ErrorCode::InvalidArgument,
                  "the configuration '" + words +
                      "' has words that follow from the layer; what can be "
                      "chosen is BLOCK_M, BLOCK_N, BLOCK_K, GROUP_M and warps, "
                      "and with packed=1 stages, prefetch, splits, wgmma and "
                      "overlap");
  if (words.find("warps=") == std::string::npos)
    config->warps = 0;
  if (words.find("prefetch=") == std::string::npos)
    config->prefetch = config->wgmma ? 0 : -1; // it needs the pipeline
  if (words.find("overlap=") == std::string::npos)
    config->overlap = -1;
  return config;
}

KernelConfig nibble::noOverrides() {
  KernelConfig config;
  config.warps = 0;
  config.prefetch = -1;
  config.overlap = -1;
  return config;
}

std::string nibble::overrideWords(const KernelConfig &choice) {
  std::string words = choice.str();
  // What leaves a choice to nibble is no word.
  for (llvm::StringRef none : {"warps=0", "prefetch=-1", "overlap=-1"})
    if (size_t at = words.find(none); at != std::string::npos)
      words.erase(at, none.size());
  return words;
}

std::vector<KernelConfig> nibble::loraxConfigs(const model::Layer &layer,
                                               int64_t rows) {
  struct Blocks {
    int64_t m, n, k;
    int warps;
  };
  // server/lorax_server/utils/gptq/quant_linear.py; its numbers of pipeline
  // stages say how Triton copies, and are nothing that schedule mma varies.
  static constexpr Blocks all[] = {
      {64, 256, 32, 4}, {128, 128, 32, 4}, {64, 128, 32, 4}, {128, 32, 32, 4},
      {64, 64, 32, 4},  {64, 128, 32, 8},  {64, 64, 64, 8},  {32, 32, 128, 4}};
  auto cut = [](int64_t block, int64_t extent) {
    return std::min(
        block, std::max<int64_t>(16, static_cast<int64_t>(llvm::PowerOf2Ceil(
                                         static_cast<uint64_t>(extent)))));
  };
  std::vector<KernelConfig> configs;
  for (const Blocks &blocks : all) {
    KernelConfig config;
    config.params = {{"BLOCK_M", cut(blocks.m, rows)},
                     {"BLOCK_N", cut(blocks.n, layer.outFeatures)},
                     {"BLOCK_K", cut(blocks.k, layer.inFeatures)},
                     {"GROUP_M", 8}};
    config.warps = blocks.warps;
    if (!llvm::is_contained(configs, config))
      configs.push_back(std::move(config));
  }
  return configs;
}

namespace {
/// The part of a configuration that is a choice.
struct Blocks {
  int64_t m, n, k;
  int warps;
};
} // namespace

/// The type that x of type `type` is multiplied in.
static const char *productType(DType type) {
  return type == DType::BF16 ? "bf16" : "f16";
}

static KernelConfig configFor(const model::Layer &layer, DType type,
                              Blocks blocks, const KernelConfig &overrides) {
  auto choose = [&](const char *name, int64_t &value) {
    if (auto found = overrides.params.find(name);
        found != overrides.params.end())
      value = found->second;
  };
  int64_t groupM = 8;
  // A block of K is whole units of codes.
  blocks.k = std::max(blocks.k, layer.codec().unitCodes());
  choose("BLOCK_M", blocks.m);
  choose("BLOCK_N", blocks.n);
  choose("BLOCK_K", blocks.k);
  choose("GROUP_M", groupM);
  if (overrides.warps)
    blocks.warps = overrides.warps;
  KernelConfig config;
  bool groupIsRead = layer.groups == 1 || layer.actOrder;
  config.params = {
      {"BITS", layer.bits},
      {"GROUP_SIZE", groupIsRead ? model::oneGroup : layer.groupSize},
      {"ACT_ORDER", layer.actOrder},
      {"HAS_BIAS", !layer.bias.empty()},
      {"BLOCK_M", blocks.m},
      {"BLOCK_N", blocks.n},
      {"BLOCK_K", blocks.k},
      {"GROUP_M", groupM}};
  const char *half = productType(type);
  config.types = {{"X", dtypeName(type)},
                  {"T", half},
                  {"Y", half},
                  {"S", dtypeName(layer.scaleType())}};
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

bool nibble::denseIsAligned(const model::Layer &layer, DType type) {
  return layer.inFeatures * static_cast<int64_t>(dtypeSize(type)) % 16 == 0 &&
         layer.outFeatures % 2 == 0;
}

CompileRequest nibble::makeDenseRequest(DType type, const std::string &target) {
  CompileRequest request;
  request.kernel = "make_dense";
  request.config = std::string("BLOCK_M=1 BLOCK_K=1024 X=") + dtypeName(type);
  request.target = target;
  return request;
}

/// The most columns that a program that sorts is compiled to hold: a multiple
/// of what its 512 threads bring of fp16 at a time, so that layers share
/// kernels.
static int64_t mostSortedColumns(const model::Layer &layer) {
  return static_cast<int64_t>(llvm::alignTo(layer.inFeatures, 4096));
}

size_t nibble::sorterFor(const model::Layer &layer, CallKind kind, bool strided,
                         const driver::DeviceProperties &device) {
  int64_t K = layer.inFeatures;
  auto size = static_cast<int64_t>(dtypeSize(kind.type));
  // Half of what a program may have, so that two run at once.
  auto mostBytes = static_cast<int64_t>(device.maxSharedBytesPerBlock / 2);
  if (!kind.aligned || strided || K % 8 != 0 ||
      mostSortedColumns(layer) * size > mostBytes)
    return 0;
  // A program reads a whole row, from L2, of which all of them together read so
  // much for each multiprocessor.
  constexpr int64_t bytesOfProcessor = 16 << 10;
  int64_t programs = device.multiprocessors * bytesOfProcessor / (K * size);
  size_t sorter = 1;
  while (sorter + 1 < std::size(sortedColumns) && sortedColumns[sorter] < K &&
         lastRows(kind.bucket) >
             programs / llvm::divideCeilSigned(K, sortedColumns[sorter]))
    ++sorter;
  return sorter;
}

CompileRequest nibble::sortColumnsRequest(const model::Layer &layer, DType type,
                                          size_t sorter,
                                          const std::string &target) {
  int64_t K = layer.inFeatures, columns = sortedColumns[sorter];
  KernelConfig config;
  config.params = {{"BLOCK_M", 1}, {"BLOCK_K", columns}};
  config.types = {{"X", dtypeName(type)}, {"T", productType(type)}};
  config.warps = 16;
  config.overlap = 1;
  if (sorter > 0) {
    assert(K % 8 == 0 && "rows are whole pieces of 16 bytes");
    config.held = true;
    config.multiples["K"] = K % columns == 0 ? columns : 8;
    config.most["K"] = mostSortedColumns(layer);
    config.alignments["x"] = 16;
  }
  CompileRequest request;
  request.kernel = "sort_columns";
  request.config = config.str();
  request.target = target;
  return request;
}

CompileRequest nibble::hostRequest(const model::Layer &layer, CallKind kind,
                                   const KernelConfig &overrides) {
  // Columns of a block: enough for all accumulators of a row, and fewer for
  // more rows, which share them. Rows of K: what unrolled code can bear.
  int64_t rows = hostFirst[kind.bucket];
  // With units of 32 codes that is twice as many, so columns are fewer.
  int64_t columns = layer.codec().splits() ? 64 : rows == 1 ? 256 : 128;
  Blocks blocks = {rows, columns, 16, 1};
  return requestFor(configFor(layer, kind.type, blocks, overrides), "host");
}

/// The blocks that a sweep on an H200 (bench/results) found fastest.
static Blocks gpuBlocks(int64_t rows, int64_t columns,
                        const driver::DeviceProperties &device) {
  // Wide blocks share the loads of x, if they give most multiprocessors work.
  auto fills = [&](int64_t n) {
    return columns / n * 5 >= int64_t(device.multiprocessors) * 4;
  };
  Blocks blocks;
  if (rows <= 16)
    blocks = fills(128)  ? Blocks{16, 128, 128, 8}
             : fills(64) ? Blocks{16, 64, 256, 4}
                         : Blocks{16, 32, 128, 2};
  else if (rows <= 64)
    blocks = {32, 64, 128, 8};
  else if (rows <= 362)
    blocks = {64, fills(64) ? 128 : 64, 128, 8};
  else if (rows <= 724)
    blocks = {64, 128, 128, 8};
  else
    blocks = {128, 256, 64, 8};
  // Two stages of both operands must fit; see MmaPlan.
  auto bytes = [&] {
    return 4 * (blocks.m * (blocks.k + 8) + blocks.k * (blocks.n + 8));
  };
  while (bytes() > static_cast<int64_t>(device.maxSharedBytesPerBlock))
    blocks.k /= 2;
  return blocks;
}

//===----------------------------------------------------------------------===//
// Packed weights
//===----------------------------------------------------------------------===//

using layout::PackedProgram;

std::vector<KernelConfig>
nibble::tuningConfigs(const model::Layer &layer, int64_t rows, bool packed,
                      const driver::DeviceProperties &device) {
  std::vector<KernelConfig> configs;
  if (packed) {
    configs = runnable(packedChoices(
        layer, rowsToChooseFor(bucketOf(rows, /*host=*/false)), device));
    if (configs.size() > mostTuned)
      configs.resize(mostTuned);
    // Whether calls gain from overlap depends on the device and the layer.
    if (!configs.empty() && configs.front().overlap) {
      KernelConfig apart = configs.front();
      apart.overlap = 0;
      configs.insert(configs.begin() + 1, std::move(apart));
    }
  }
  if (!configs.empty())
    return configs;
  configs.push_back(noOverrides());
  llvm::append_range(configs, loraxConfigs(layer, rows));
  return configs;
}

/// The request for `chosen`, one of packedChoices(), with what the overrides
/// say of it.
static CompileRequest packedRequest(const model::Layer &layer, CallKind kind,
                                    const std::string &target,
                                    const driver::DeviceProperties &device,
                                    KernelConfig chosen,
                                    const KernelConfig &overrides) {
  if (overrides.packed) {
    for (const auto &[name, value] : overrides.params)
      chosen.params[name] = value;
    if (overrides.warps)
      chosen.warps = overrides.warps;
    if (overrides.stages > 1) // 1 is no choice here
      chosen.stages = overrides.stages;
    if (overrides.splits > 1 || overrides.prefetch >= 0)
      chosen.splits = overrides.splits;
    if (overrides.prefetch >= 0) {
      chosen.prefetch = overrides.prefetch;
      chosen.wgmma = overrides.wgmma;
    }
    if (overrides.overlap >= 0)
      chosen.overlap = overrides.overlap;
  }
  Blocks blocks = {chosen.params["BLOCK_M"], chosen.params["BLOCK_N"],
                   chosen.params["BLOCK_K"], chosen.warps};
  KernelConfig config = configFor(layer, kind.type, blocks, overrides);
  // Groups are the packed order's, and the step over K may be less than whole.
  config.params["GROUP_SIZE"] = model::oneGroup;
  config.multiples["K"] = std::gcd(layer.inFeatures, blocks.k);
  config.packed = model::packedGroupRows(layer);
  config.stages = chosen.stages;
  config.prefetch = chosen.prefetch;
  config.splits = chosen.splits;
  config.wgmma = chosen.wgmma;
  config.overlap = chosen.overlap;
  if (sortsColumns(layer, device)) {
    if (kind.aligned && kind.type != DType::F32 &&
        holdsColumns(layer, kind.bucket, config, device)) {
      config.held = true;
      config.most = {{"M", lastRows(kind.bucket)}, {"K", layer.inFeatures}};
      config.alignments["g_idx"] = 16;
    } else {
      // To the kernel the layer is one whose rows are in order.
      config.params["ACT_ORDER"] = 0;
      config.types["X"] = config.types["T"];
      config.alignments["x"] = 16; // as it is written
    }
  }
  if (kind.aligned) {
    config.alignments["x"] = 16;
    config.alignments["y"] = 4;
  }
  return requestFor(config, target);
}

/// The packed order is to be read for any number of rows.
static bool asksForPacked(const KernelConfig &overrides,
                          const std::string &schedule) {
  return schedule == "mma_packed" || overrides.packed;
}

/// Nothing says that the checkpoint's order is to be read.
static bool mayReadPacked(const KernelConfig &overrides,
                          const std::string &schedule) {
  return asksForPacked(overrides, schedule) ||
         (schedule == "auto" && overrides.params.empty() && !overrides.warps);
}

/// The configurations of the packed order for calls of `rows` rows, the best
/// first; none if they read the checkpoint's.
static std::vector<KernelConfig>
packedFor(const model::Layer &layer, int64_t rows,
          const driver::DeviceProperties &device, const KernelConfig &overrides,
          const std::string &schedule) {
  if (!mayReadPacked(overrides, schedule))
    return {};
  int64_t few = std::min(rows, PackedProgram::mostRows);
  if (overrides.packed && overrides.prefetch > 0)
    return runnable(registerChoices(layer, few, device));
  if (asksForPacked(overrides, schedule) &&
      !hasPackedChoices(layer, rows, device))
    rows = few;
  return runnable(packedChoices(layer, rows, device));
}

bool nibble::readsPackedAlone(const model::Layer &layer,
                              const driver::DeviceProperties &device,
                              const KernelConfig &overrides,
                              const std::string &schedule) {
  return asksForPacked(overrides, schedule) ||
         (mayReadPacked(overrides, schedule) &&
          hasPackedChoices(layer, std::numeric_limits<int64_t>::max(), device));
}

CompileRequest nibble::gpuRequest(const model::Layer &layer, CallKind kind,
                                  const std::string &target,
                                  const driver::DeviceProperties &device,
                                  const KernelConfig &overrides,
                                  const std::string &schedule) {
  int64_t rows = rowsToChooseFor(kind.bucket);
  std::vector<KernelConfig> packed =
      packedFor(layer, rows, device, overrides, schedule);
  CompileRequest request;
  if (!packed.empty()) {
    request =
        packedRequest(layer, kind, target, device, packed.front(), overrides);
  } else {
    Blocks blocks =
        gpuBlocks(firstRows(kind.bucket), layer.outFeatures, device);
    KernelConfig config = configFor(layer, kind.type, blocks, overrides);
    for (const char *name : {"qweight", "scales"})
      config.alignments[name] = 16;
    if (layer.outFeatures * static_cast<int64_t>(dtypeSize(layer.scaleType())) %
            16 !=
        0)
      config.alignments["scales"] = 8;
    if (kind.aligned) {
      config.alignments["x"] = 16;
      config.alignments["y"] = 4;
    }
    request = requestFor(config, target);
  }
  request.schedule = schedule;
  return request;
}
