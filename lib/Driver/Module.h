//===- Driver/Module.h - Kernels on a device ------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// PTX or a cubin to a function, and its launch.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_DRIVER_MODULE_H
#define NIBBLE_DRIVER_MODULE_H

#include "Driver/Device.h"

namespace nibble::driver {

/// PTX to a cubin for `device`, by the driver's linker: several threads link
/// side by side, where those that load PTX as a module wait for one another
/// (docs/measurements.md). CompileError with the driver's log if it does not
/// take the PTX of kernel `name`.
Result<std::string> assemble(const Device &device, const std::string &ptx,
                             const std::string &name);

/// What runs beside the blocks of a kernel, if the driver is recent enough.
enum class Overlap {
  None,
  /// They may begin while the kernel before on the stream still runs, for which
  /// the code waits by itself (griddepcontrol.wait).
  Begins,
  /// And they take all the shared memory that is theirs, so that blocks of the
  /// next such kernel find no room before one of them ends.
  Fills
};

/// One kernel's code on one device. The device must outlive it.
class Module {
public:
  /// Loads `cubin` and finds entry `name`, whose blocks need `sharedBytes` of
  /// dynamic shared memory; Unsupported if that does not fit the device.
  static Result<std::unique_ptr<Module>>
  load(const Device &device, const std::string &cubin, const std::string &name,
       int64_t sharedBytes, Overlap overlap = Overlap::None);
  ~Module();
  Module(const Module &) = delete;
  Module &operator=(const Module &) = delete;

  /// Launches `blocks` blocks of `threads` threads on `stream`. `arguments`
  /// are the addresses of the entry's parameters. Neither allocates nor waits.
  Status launch(int64_t blocks, int threads, void **arguments,
                CuStream stream) const;

  const Device &device() const { return owner; }
  /// Registers of a thread, and bytes of local memory, into which registers
  /// are spilled.
  int registers() const { return registerCount; }
  int localBytes() const { return spilledBytes; }

private:
  explicit Module(const Device &device) : owner(device) {}
  int64_t sharedBytesOf(int64_t blocks) const;

  const Device &owner;
  CuModule module = nullptr;
  CuFunction function = nullptr;
  int64_t dynamicSharedBytes = 0;
  bool overlaps = false, fillsShared = false;
  int registerCount = 0, spilledBytes = 0;
};

} // namespace nibble::driver

#endif // NIBBLE_DRIVER_MODULE_H
