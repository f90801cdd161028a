//===- Driver/Memory.cpp - Device memory ----------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Memory.h.
//
//===----------------------------------------------------------------------===//

#include "Driver/Memory.h"
#include "Driver/Stream.h"
#include <algorithm>
#include <utility>

using namespace nibble;
using namespace nibble::driver;

DeviceBuffer &DeviceBuffer::operator=(DeviceBuffer &&other) noexcept {
  std::swap(device, other.device);
  std::swap(place, other.place);
  std::swap(length, other.length);
  return *this;
}

DeviceBuffer::~DeviceBuffer() {
  if (!device)
    return;
  ContextGuard guard(*device);
  RelaxedCaptureGuard relaxed(*device);
  if (guard.status().ok())
    device->api().cuMemFree(place);
}

Result<DeviceBuffer> DeviceBuffer::allocate(const Device &device,
                                            size_t bytes) {
  ContextGuard guard(device);
  if (!guard.status().ok())
    return guard.status();
  RelaxedCaptureGuard relaxed(device);
  DeviceBuffer buffer;
  NIBBLE_CUDA_TRY(device.driver(), cuMemAlloc,
                  (&buffer.place, std::max<size_t>(bytes, 1)),
                  "bytes=" + std::to_string(bytes));
  buffer.device = &device;
  buffer.length = bytes;
  return buffer;
}

Result<DeviceBuffer> DeviceBuffer::copyOf(const Device &device,
                                          const void *from, size_t bytes,
                                          CuStream stream) {
  Result<DeviceBuffer> buffer = allocate(device, bytes);
  if (!buffer.ok())
    return buffer;
  Status status = copyToDevice(device, buffer->address(), from, bytes, stream);
  if (status.ok())
    status = synchronize(device, stream);
  if (!status.ok())
    return status;
  return buffer;
}

Result<DeviceBuffer> DeviceBuffer::duplicate(CuStream stream) const {
  if (!device)
    return DeviceBuffer();
  Result<DeviceBuffer> buffer = allocate(*device, length);
  if (!buffer.ok() || length == 0)
    return buffer;
  ContextGuard guard(*device);
  if (!guard.status().ok())
    return guard.status();
  NIBBLE_CUDA_TRY(device->driver(), cuMemcpyDtoDAsync,
                  (buffer->address(), place, length, stream),
                  "bytes=" + std::to_string(length));
  if (Status status = synchronize(*device, stream); !status.ok())
    return status;
  return buffer;
}

Status driver::copyToDevice(const Device &device, CuDevicePtr to,
                            const void *from, size_t bytes, CuStream stream) {
  if (bytes == 0)
    return {};
  ContextGuard guard(device);
  if (!guard.status().ok())
    return guard.status();
  NIBBLE_CUDA_TRY(device.driver(), cuMemcpyHtoDAsync, (to, from, bytes, stream),
                  "bytes=" + std::to_string(bytes));
  return {};
}

Status driver::copyToHost(const Device &device, void *to, CuDevicePtr from,
                          size_t bytes, CuStream stream) {
  if (bytes == 0)
    return {};
  ContextGuard guard(device);
  if (!guard.status().ok())
    return guard.status();
  NIBBLE_CUDA_TRY(device.driver(), cuMemcpyDtoHAsync, (to, from, bytes, stream),
                  "bytes=" + std::to_string(bytes));
  return {};
}

Result<bool> driver::isDeviceAddress(const Device &device,
                                     const void *address) {
  ContextGuard guard(device);
  if (!guard.status().ok())
    return guard.status();
  CuMemoryType type{};
  int ordinal = 0;
  unsigned managed = 0;
  CuPointerAttribute attributes[] = {
      CuPointerMemoryType, CuPointerDeviceOrdinal, CuPointerIsManaged};
  void *values[] = {&type, &ordinal, &managed};
  NIBBLE_CUDA_TRY(
      device.driver(), cuPointerGetAttributes,
      (3, attributes, values, reinterpret_cast<CuDevicePtr>(address)),
      "device=" + std::to_string(device.ordinal()));
  // An address that the driver does not know is the host's own memory, and
  // values stay 0.
  if (managed)
    return true;
  if (type != CuMemoryDevice)
    return false;
  if (ordinal != device.ordinal())
    return Status(ErrorCode::InvalidArgument,
                  "memory of CUDA device " + std::to_string(ordinal) +
                      " is used on device " + std::to_string(device.ordinal()));
  return true;
}
