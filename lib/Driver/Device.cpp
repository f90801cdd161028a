//===- Driver/Device.cpp - A GPU and its primary context ------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads a device's properties, retains its primary context, and switches
// contexts without leaving a trace on the host's threads.
//
//===----------------------------------------------------------------------===//

#include "Driver/Device.h"
#include "Support/OutOfMemory.h"

namespace nibble::driver {

Result<std::unique_ptr<Device>> Device::open(Driver &driver, int ordinal) {
  std::unique_ptr<Device> device(new Device(driver));
  if (Status status = device->read(ordinal); !status.ok())
    return status.withContext("CUDA device " + std::to_string(ordinal));
  return device;
}

Status Device::read(int ordinal) {
  number = ordinal;
  NIBBLE_CUDA_TRY(owner, cuDeviceGet, (&handle, ordinal),
                  "ordinal=" + std::to_string(ordinal));
  char name[256] = {};
  NIBBLE_CUDA_TRY(owner, cuDeviceGetName, (name, sizeof(name), handle),
                  "device=" + std::to_string(handle));
  name[sizeof(name) - 1] = '\0';
  props.name = name;
  NIBBLE_CUDA_TRY(owner, cuDeviceTotalMem, (&props.memoryBytes, handle),
                  "device=" + std::to_string(handle));

  Status status;
  auto attribute = [&](CuDeviceAttribute which) -> int {
    int value = 0;
    CuResult result = api().cuDeviceGetAttribute(&value, which, handle);
    if (result != CuSuccess && status.ok())
      status = owner.error(result, "cuDeviceGetAttribute",
                           "attribute=" + std::to_string(which) +
                               ", device=" + std::to_string(handle));
    return value;
  };
  props.computeCapability = 10 * attribute(CuDeviceComputeCapabilityMajor) +
                            attribute(CuDeviceComputeCapabilityMinor);
  props.multiprocessors = attribute(CuDeviceMultiprocessorCount);
  props.l2Bytes = attribute(CuDeviceL2CacheSize);
  props.maxSharedBytesPerBlock =
      attribute(CuDeviceMaxSharedMemoryPerBlockOptin);
  props.sharedBytesPerMultiprocessor =
      attribute(CuDeviceMaxSharedMemoryPerMultiprocessor);
  props.registersPerMultiprocessor =
      attribute(CuDeviceMaxRegistersPerMultiprocessor);
  props.maxThreadsPerBlock = attribute(CuDeviceMaxThreadsPerBlock);
  props.maxThreadsPerMultiprocessor =
      attribute(CuDeviceMaxThreadsPerMultiprocessor);
  props.maxBlocksPerMultiprocessor =
      attribute(CuDeviceMaxBlocksPerMultiprocessor);
  props.warpSize = attribute(CuDeviceWarpSize);
  props.clockKHz = attribute(CuDeviceClockRate);
  props.memoryClockKHz = attribute(CuDeviceMemoryClockRate);
  props.memoryBusBits = attribute(CuDeviceMemoryBusWidth);
  if (!status.ok())
    return status;

  // Last, so that a failure above leaves nothing to release.
  NIBBLE_CUDA_TRY(owner, cuDevicePrimaryCtxRetain, (&primary, handle),
                  "device=" + std::to_string(handle));
  return {};
}

Device::~Device() {
  if (primary)
    api().cuDevicePrimaryCtxRelease(handle);
}

Result<std::size_t> Device::freeBytes() const {
  ContextGuard guard(*this);
  if (!guard.status().ok())
    return guard.status();
  std::size_t free = 0, total = 0;
  NIBBLE_CUDA_TRY(owner, cuMemGetInfo, (&free, &total),
                  "device=" + std::to_string(number));
  return free;
}

ContextGuard::ContextGuard(const Device &device) : device(device) {
  CuContext current = nullptr;
  if (device.api().cuCtxGetCurrent(&current) == CuSuccess &&
      current == device.context())
    return;
  CuResult result = device.api().cuCtxPushCurrent(device.context());
  if (result != CuSuccess) {
    // Destructors have guards, too.
    outcome = catchOutOfMemory([&] {
      return device.driver().error(result, "cuCtxPushCurrent",
                                   "device=" +
                                       std::to_string(device.ordinal()));
    });
    return;
  }
  pushed = true;
}

ContextGuard::~ContextGuard() {
  if (!pushed)
    return;
  CuContext popped = nullptr;
  device.api().cuCtxPopCurrent(&popped);
}

RelaxedCaptureGuard::RelaxedCaptureGuard(const Device &device)
    : device(device) {
  exchanged =
      device.api().cuThreadExchangeStreamCaptureMode(&previous) == CuSuccess;
}

RelaxedCaptureGuard::~RelaxedCaptureGuard() {
  if (exchanged)
    device.api().cuThreadExchangeStreamCaptureMode(&previous);
}

} // namespace nibble::driver
