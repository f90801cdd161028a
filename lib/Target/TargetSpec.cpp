//===- Target/TargetSpec.cpp - What code is generated for -----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of targets.
//
//===----------------------------------------------------------------------===//

#include "Target/TargetSpec.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"

using namespace nibble;

namespace {
struct Gpu {
  const char *name;
  /// "" takes LLVM's default for the architecture, the lowest it knows.
  const char *ptx;
  /// Shared memory a block may opt in to, in KiB (CUDA C++ Programming Guide,
  /// "Technical Specifications per Compute Capability").
  int64_t sharedKiB;
};
} // namespace

static constexpr Gpu gpus[] = {
    {"sm_80", "+ptx74", 163},   {"sm_86", "+ptx78", 99},
    {"sm_89", "+ptx78", 99},    {"sm_90a", "+ptx80", 227},
    {"sm_100a", "+ptx86", 227}, {"sm_120a", "+ptx87", 99},
};

/// 10 * major + minor.
static int capabilityOf(const Gpu &gpu) {
  int number = 0;
  llvm::StringRef digits = llvm::StringRef(gpu.name).drop_front(3);
  digits.consumeInteger(10, number);
  return number;
}

/// The machine that this runs on.
static Result<TargetSpec> hostTarget() {
  llvm::StringMap<bool> features = llvm::sys::getHostCPUFeatures();
  if (!features.lookup("f16c") || !features.lookup("fma") ||
      !features.lookup("avx2"))
    return Status(ErrorCode::Unsupported,
                  "this processor (" + llvm::sys::getHostCPUName().str() +
                      ") lacks AVX2, FMA or F16C, which nibble's host code "
                      "needs");
  TargetSpec spec;
  spec.name = "host";
  spec.cpu = llvm::sys::getHostCPUName().str();
  llvm::SmallVector<std::string> on;
  for (const auto &feature : features)
    on.push_back((feature.second ? "+" : "-") + feature.first().str());
  llvm::sort(on);
  spec.features = llvm::join(on, ",");
  spec.vectorBits =
      features.lookup("avx512f") && features.lookup("avx512vl") ? 512 : 256;
  return spec;
}

Result<TargetSpec> TargetSpec::parse(std::string_view name) {
  if (name == "host") {
    static const Result<TargetSpec> host = hostTarget();
    return host;
  }
  for (const Gpu &gpu : gpus)
    if (name == gpu.name) {
      TargetSpec spec;
      spec.name = spec.cpu = gpu.name;
      spec.features = gpu.ptx;
      spec.sharedBytes = gpu.sharedKiB * 1024;
      spec.capability = capabilityOf(gpu);
      return spec;
    }
  return Status(ErrorCode::InvalidArgument,
                "there is no target '" + std::string(name) + "'; targets are " +
                    llvm::join(names(), ", "));
}

Result<TargetSpec> TargetSpec::forCapability(int capability) {
  // Code for an architecture with an 'a' runs on that one alone; other code
  // runs on every later GPU too.
  const Gpu *best = nullptr;
  for (const Gpu &gpu : gpus) {
    bool exact = llvm::StringRef(gpu.name).ends_with("a");
    int own = capabilityOf(gpu);
    if (exact ? own == capability : own <= capability)
      best = &gpu;
  }
  if (!best)
    return Status(
        ErrorCode::Unsupported,
        "a GPU of compute capability " + std::to_string(capability / 10) + "." +
            std::to_string(capability % 10) + "; nibble needs 8.0 or later");
  return parse(best->name);
}

std::vector<std::string> TargetSpec::names() {
  std::vector<std::string> all;
  for (const Gpu &gpu : gpus)
    all.push_back(gpu.name);
  all.push_back("host");
  return all;
}
