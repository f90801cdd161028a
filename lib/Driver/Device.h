//===- Driver/Device.h - A GPU and its primary context --------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// nibble lives in the device's primary context, the one that the CUDA runtime
// and PyTorch use, so that their pointers and streams are valid here. A host
// may have any context current on its threads: nibble makes the device's
// current for the length of a call and puts the host's back.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_DRIVER_DEVICE_H
#define NIBBLE_DRIVER_DEVICE_H

#include "Driver/Driver.h"

#include <cstddef>
#include <memory>
#include <string>

namespace nibble::driver {

/// What a device is; read once when it is opened.
struct DeviceProperties {
  /// The product's name, such as `NVIDIA H100 80GB HBM3`.
  std::string name;
  /// Compute capability as 10 * major + minor: 90 for an H100.
  int computeCapability = 0;
  /// Streaming multiprocessors.
  int multiprocessors = 0;
  /// Bytes of level 2 cache.
  std::size_t l2Bytes = 0;
  /// Bytes of device memory.
  std::size_t memoryBytes = 0;
  /// Most bytes of shared memory that a block can opt in to, static and
  /// dynamic together.
  std::size_t maxSharedBytesPerBlock = 0;
  /// Bytes of shared memory of one multiprocessor.
  std::size_t sharedBytesPerMultiprocessor = 0;
  /// 32-bit registers of one multiprocessor.
  int registersPerMultiprocessor = 0;
  int maxThreadsPerBlock = 0;
  int maxThreadsPerMultiprocessor = 0;
  int maxBlocksPerMultiprocessor = 0;
  int warpSize = 0;
  /// Peak clock of the multiprocessors, in kHz; 0 where the driver hides it.
  int clockKHz = 0;
  /// Peak clock of the memory, in kHz; 0 where the driver hides it.
  int memoryClockKHz = 0;
  /// Width of the memory bus, in bits.
  int memoryBusBits = 0;
};

/// One GPU. Owned by its Driver; holds a reference to the device's primary
/// context until the Driver goes. Every member may be called from any thread.
class Device {
public:
  /// Opens device `ordinal` of `driver`; Driver::device() calls it once.
  static Result<std::unique_ptr<Device>> open(Driver &driver, int ordinal);

  ~Device();
  Device(const Device &) = delete;
  Device &operator=(const Device &) = delete;

  int ordinal() const { return number; }
  const DeviceProperties &properties() const { return props; }
  Driver &driver() const { return owner; }
  const CudaApi &api() const { return owner.api(); }
  /// The primary context; the Device owns one reference to it.
  CuContext context() const { return primary; }

  /// Bytes of memory that are free now.
  Result<std::size_t> freeBytes() const;

private:
  explicit Device(Driver &driver) : owner(driver) {}
  Status read(int ordinal);

  Driver &owner;
  int number = 0;
  CuDevice handle = 0;
  CuContext primary = nullptr;
  DeviceProperties props;
};

/// Makes a device's context current on this thread for the guard's life, and
/// then puts back what the host had. It costs one read of thread-local state
/// where the context is current already. A guard stays on its thread.
class ContextGuard {
public:
  explicit ContextGuard(const Device &device);
  ~ContextGuard();
  ContextGuard(const ContextGuard &) = delete;
  ContextGuard &operator=(const ContextGuard &) = delete;

  /// Whether the context is current; check before the first call under it.
  const Status &status() const { return outcome; }

private:
  const Device &device;
  bool pushed = false;
  Status outcome;
};

/// Lets this thread load modules and allocate while another thread captures a
/// stream. Capture in the driver's default mode forbids such calls to every
/// thread of the process and invalidates the capture when one is made; they are
/// harmless here, because none of them depends on captured work.
class RelaxedCaptureGuard {
public:
  explicit RelaxedCaptureGuard(const Device &device);
  ~RelaxedCaptureGuard();
  RelaxedCaptureGuard(const RelaxedCaptureGuard &) = delete;
  RelaxedCaptureGuard &operator=(const RelaxedCaptureGuard &) = delete;

private:
  const Device &device;
  CuCaptureMode previous = CuCaptureRelaxed;
  bool exchanged = false;
};

} // namespace nibble::driver

#endif // NIBBLE_DRIVER_DEVICE_H
