//===- API/AheadOfTime.cpp - All kernels that a layer may need ------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See AheadOfTime.h.
//
//===----------------------------------------------------------------------===//

#include "API/AheadOfTime.h"
#include "API/DeviceWeights.h"
#include "API/KernelChoice.h"
#include "API/PackedChoice.h"
#include "API/TunedTable.h"
#include "Model/PackedWeights.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Sequence.h"

using namespace nibble;

namespace {
/// A GPU that the choice of kernels may find, by what it looks at; the most
/// usual one of a target first.
struct Product {
  const char *target;
  /// Of A100, A30; A40, A10, RTX 3090; L40, L4, RTX 4090; H100, H200, H100
  /// PCIe, H20; B200; RTX PRO 6000, RTX 5090.
  int multiprocessors;
  /// What hasFastMemory() says of it.
  bool fastMemory = false;
};
} // namespace

static constexpr Product products[] = {
    {"sm_80", 108},         {"sm_80", 56},    {"sm_86", 84},
    {"sm_86", 72},          {"sm_86", 82},    {"sm_89", 142},
    {"sm_89", 58},          {"sm_89", 128},   {"sm_90a", 132},
    {"sm_90a", 132, true},  {"sm_90a", 114},  {"sm_90a", 78},
    {"sm_100a", 148, true}, {"sm_100a", 148}, {"sm_120a", 188},
    {"sm_120a", 170}};

int nibble::usualMultiprocessors(const std::string &target) {
  for (const Product &product : products)
    if (target == product.target)
      return product.multiprocessors;
  return 0;
}

driver::DeviceProperties nibble::propertiesOf(const TargetSpec &spec,
                                              int multiprocessors,
                                              bool fastMemory) {
  driver::DeviceProperties device;
  device.computeCapability = spec.capability;
  device.multiprocessors = multiprocessors;
  device.maxSharedBytesPerBlock = static_cast<size_t>(spec.sharedBytes);
  // An H200's or an H100's, as far as the choice looks at it.
  device.memoryClockKHz = fastMemory ? 3201000 : 2619000;
  device.memoryBusBits = fastMemory ? 6144 : 5120;
  return device;
}

/// Whether `result` is for calls of a bucket of `layer`, as layers with
/// ordinary options make them.
static bool isFor(const FiledTimes &result, const model::Layer &layer,
                  DType type, const std::string &target, int bucket) {
  return result.key.target == target &&
         result.key.call == tuningCall(layer, "auto", type, firstRows(bucket));
}

std::vector<FiledTimes> nibble::resultsFor(const model::Layer &layer,
                                           DType type,
                                           const std::string &target,
                                           llvm::ArrayRef<FiledTimes> results) {
  std::vector<FiledTimes> found;
  llvm::copy_if(results, std::back_inserter(found),
                [&](const FiledTimes &each) {
                  return llvm::any_of(llvm::seq(bucketCount), [&](int bucket) {
                    return isFor(each, layer, type, target, bucket);
                  });
                });
  return found;
}

Result<std::map<std::string, CompileRequest>>
nibble::allRequests(const model::Layer &layer, DType type,
                    const std::string &target,
                    llvm::ArrayRef<FiledTimes> tuned) {
  Result<TargetSpec> spec = TargetSpec::parse(target);
  if (!spec.ok())
    return spec.status();
  std::map<std::string, CompileRequest> all;
  Status failed;
  auto add = [&](const CompileRequest &request) {
    Result<std::string> key = requestKey(request);
    if (key.ok())
      all.emplace(*key, request);
    else
      failed = key.status();
  };
  add(makeDenseRequest(type, target));
  bool packs = !spec->isHost() && model::packedGroupRows(layer);
  if (packs)
    add(packRequest(layer.bits, target));
  for (int bucket = 0; bucket < bucketsOf(spec->isHost()); ++bucket) {
    if (spec->isHost()) {
      add(hostRequest(layer, {type, bucket, /*aligned=*/false}, noOverrides()));
      continue;
    }
    std::vector<KernelConfig> choices = {noOverrides()};
    for (const FiledTimes &each : tuned)
      if (isFor(each, layer, type, target, bucket))
        if (std::optional<KernelConfig> best = bestConfig(each.times))
          choices.push_back(std::move(*best));
    for (const Product &product : products) {
      if (target != product.target)
        continue;
      driver::DeviceProperties device =
          propertiesOf(*spec, product.multiprocessors, product.fastMemory);
      for (bool aligned : {false, true}) {
        CallKind kind = {type, bucket, aligned};
        for (const KernelConfig &choice : choices)
          add(gpuRequest(layer, kind, target, device, choice, "auto"));
        if (packs && sortsColumns(layer, device))
          add(sortColumnsRequest(
              layer, type, sorterFor(layer, kind, /*strided=*/false, device),
              target));
      }
    }
  }
  if (!failed.ok())
    return failed;
  return all;
}
