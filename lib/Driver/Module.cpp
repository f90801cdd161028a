//===- Driver/Module.cpp - Kernels on a device ----------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Module.h.
//
//===----------------------------------------------------------------------===//

#include "Driver/Module.h"
#include <algorithm>
#include <climits>

using namespace nibble;
using namespace nibble::driver;

namespace {
/// A linker invocation of the driver, and what it said. The driver may write
/// to the values of the options until the linker is destroyed.
struct Linker {
  explicit Linker(const Device &device) : device(device) {}
  ~Linker() {
    if (state)
      device.api().cuLinkDestroy(state);
  }
  Linker(const Linker &) = delete;
  Linker &operator=(const Linker &) = delete;

  Status error(CuResult result, const char *call, const std::string &name) {
    Status status = device.driver().error(result, call, "kernel=" + name);
    std::string said = log.c_str();
    return said.empty() ? status
                        : Status(status.code(), status.message() + "\n" + said);
  }

  const Device &device;
  CuLinkState state = nullptr;
  std::string log = std::string(8192, '\0');
  CuJitOption options[2] = {CuJitErrorLogBuffer, CuJitErrorLogBufferSizeBytes};
  void *values[2] = {log.data(), reinterpret_cast<void *>(log.size() - 1)};
};
} // namespace

Result<std::string> nibble::driver::assemble(const Device &device,
                                             const std::string &ptx,
                                             const std::string &name) {
  ContextGuard guard(device);
  if (!guard.status().ok())
    return guard.status();
  RelaxedCaptureGuard relaxed(device);
  Linker linker(device);
  const CudaApi &api = device.api();
  if (CuResult result =
          api.cuLinkCreate(2, linker.options, linker.values, &linker.state))
    return linker.error(result, "cuLinkCreate", name);
  if (CuResult result = api.cuLinkAddData(
          linker.state, CuJitInputPtx, const_cast<char *>(ptx.c_str()),
          ptx.size() + 1, name.c_str(), 0, nullptr, nullptr))
    return linker.error(result, "cuLinkAddData", name);
  void *cubin = nullptr;
  size_t bytes = 0;
  if (CuResult result = api.cuLinkComplete(linker.state, &cubin, &bytes))
    return linker.error(result, "cuLinkComplete", name);
  return std::string(static_cast<const char *>(cubin), bytes);
}

Result<std::unique_ptr<Module>>
Module::load(const Device &device, const std::string &cubin,
             const std::string &name, int64_t sharedBytes, Overlap overlap) {
  ContextGuard guard(device);
  if (!guard.status().ok())
    return guard.status();
  RelaxedCaptureGuard relaxed(device);
  if (static_cast<uint64_t>(sharedBytes) >
      device.properties().maxSharedBytesPerBlock)
    return Status(
        ErrorCode::Unsupported,
        "kernel '" + name + "' needs " + std::to_string(sharedBytes) +
            " bytes of shared memory; " + device.properties().name + " has " +
            std::to_string(device.properties().maxSharedBytesPerBlock));
  std::unique_ptr<Module> result(new Module(device));
  result->dynamicSharedBytes = sharedBytes;
  // Graphs have such launches from CUDA 12.3 on, and any stream may be
  // captured. Without, the code's wait is for what has ended.
  constexpr int leastVersion = 12030;
  if (device.driver().version() >= leastVersion) {
    result->overlaps = overlap != Overlap::None;
    result->fillsShared = overlap == Overlap::Fills && sharedBytes > 0;
  }
  NIBBLE_CUDA_TRY(device.driver(), cuModuleLoadDataEx,
                  (&result->module, cubin.data(), 0, nullptr, nullptr),
                  "kernel=" + name);
  NIBBLE_CUDA_TRY(device.driver(), cuModuleGetFunction,
                  (&result->function, result->module, name.c_str()),
                  "name=" + name);
  if (result->fillsShared)
    sharedBytes =
        static_cast<int64_t>(device.properties().maxSharedBytesPerBlock);
  if (sharedBytes > 0)
    NIBBLE_CUDA_TRY(device.driver(), cuFuncSetAttribute,
                    (result->function, CuFunctionMaxDynamicSharedSizeBytes,
                     static_cast<int>(sharedBytes)),
                    "dynamic shared bytes=" + std::to_string(sharedBytes));
  // A multiprocessor that must divide its memory anew, between shared memory
  // and level 1 cache, waits until it is idle.
  if (result->overlaps)
    NIBBLE_CUDA_TRY(
        device.driver(), cuFuncSetAttribute,
        (result->function, CuFunctionPreferredSharedMemoryCarveout, 100),
        "preferred shared memory carveout=100");
  NIBBLE_CUDA_TRY(device.driver(), cuFuncGetAttribute,
                  (&result->registerCount, CuFunctionNumRegs, result->function),
                  "NumRegs");
  NIBBLE_CUDA_TRY(
      device.driver(), cuFuncGetAttribute,
      (&result->spilledBytes, CuFunctionLocalSizeBytes, result->function),
      "LocalSizeBytes");
  return result;
}

Module::~Module() {
  if (!module)
    return;
  ContextGuard guard(owner);
  RelaxedCaptureGuard relaxed(owner);
  if (guard.status().ok())
    owner.api().cuModuleUnload(module);
}

/// The shared memory of each of `blocks` blocks: what it needs, and if they
/// fill it all of its part of a multiprocessor's but what is left for blocks of
/// kernels that do not, such as those that sort x. Where blocks of the next
/// such kernel find room before one of these ends, several gather on one
/// multiprocessor, and all others wait for it at the end
/// (docs/measurements.md).
int64_t Module::sharedBytesOf(int64_t blocks) const {
  if (!fillsShared)
    return dynamicSharedBytes;
  const DeviceProperties &device = owner.properties();
  auto whole = static_cast<int64_t>(device.sharedBytesPerMultiprocessor);
  auto most = static_cast<int64_t>(device.maxSharedBytesPerBlock);
  int64_t each = (blocks + device.multiprocessors - 1) / device.multiprocessors;
  // The device keeps some for every block, and gives the rest in units. What is
  // left must be less than one more block takes.
  constexpr int64_t unit = 1024;
  int64_t kept = whole - most, left = whole / 6;
  int64_t part = std::max((whole - left) / each, whole / (each + 1) + unit);
  return std::max(dynamicSharedBytes, (part - kept) / unit * unit);
}

Status Module::launch(int64_t blocks, int threads, void **arguments,
                      CuStream stream) const {
  if (blocks == 0)
    return {};
  if (blocks < 0 || blocks > INT_MAX)
    return Status(ErrorCode::InvalidArgument,
                  "a launch of " + std::to_string(blocks) +
                      " blocks; a device takes " + std::to_string(INT_MAX));
  ContextGuard guard(owner);
  if (!guard.status().ok())
    return guard.status();
  CuLaunchConfig config = {};
  config.gridDimX = static_cast<unsigned>(blocks);
  config.gridDimY = config.gridDimZ = 1;
  config.blockDimX = static_cast<unsigned>(threads);
  config.blockDimY = config.blockDimZ = 1;
  config.sharedMemBytes = static_cast<unsigned>(sharedBytesOf(blocks));
  config.stream = stream;
  CuLaunchAttribute attribute = {};
  if (overlaps) {
    attribute.id = CuLaunchProgrammaticStreamSerialization;
    attribute.value.programmaticStreamSerializationAllowed = 1;
    config.attributes = &attribute;
    config.attributeCount = 1;
  }
  NIBBLE_CUDA_TRY(
      owner.driver(), cuLaunchKernelEx, (&config, function, arguments, nullptr),
      "blocks=" + std::to_string(blocks) +
          ", threads=" + std::to_string(threads) +
          ", shared bytes=" + std::to_string(config.sharedMemBytes));
  return {};
}
