//===- Driver/Memory.h - Device memory ------------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Memory of a GPU, owned.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_DRIVER_MEMORY_H
#define NIBBLE_DRIVER_MEMORY_H

#include "Driver/Device.h"

namespace nibble::driver {

/// Bytes of device memory, freed with this. The device must outlive it.
class DeviceBuffer {
public:
  DeviceBuffer() = default;
  DeviceBuffer(DeviceBuffer &&other) noexcept { *this = std::move(other); }
  DeviceBuffer &operator=(DeviceBuffer &&other) noexcept;
  ~DeviceBuffer();

  /// `bytes` bytes, aligned to 256, with any content. 0 bytes are an address.
  static Result<DeviceBuffer> allocate(const Device &device, size_t bytes);
  /// The same with the content of host memory `from`, copied on `stream`;
  /// returns when it is there.
  static Result<DeviceBuffer> copyOf(const Device &device, const void *from,
                                     size_t bytes, CuStream stream = nullptr);

  /// Other memory with the same content, copied on `stream`; returns when it is
  /// there. None of none.
  Result<DeviceBuffer> duplicate(CuStream stream = nullptr) const;

  /// 0 if there is no memory.
  CuDevicePtr address() const { return place; }
  size_t bytes() const { return length; }

private:
  const Device *device = nullptr;
  CuDevicePtr place = 0;
  size_t length = 0;
};

/// Copies between host and device in order on `stream`; host memory that is
/// not page-locked is free to be used when this returns.
Status copyToDevice(const Device &device, CuDevicePtr to, const void *from,
                    size_t bytes, CuStream stream);
Status copyToHost(const Device &device, void *to, CuDevicePtr from,
                  size_t bytes, CuStream stream);

/// True if `address` is this device's memory or managed. False if it is host
/// memory, page-locked or not.
/// \returns InvalidArgument if it is another device's.
Result<bool> isDeviceAddress(const Device &device, const void *address);

} // namespace nibble::driver

#endif // NIBBLE_DRIVER_MEMORY_H
