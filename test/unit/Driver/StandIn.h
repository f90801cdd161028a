//===- StandIn.h - A CUDA driver for tests --------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A shared library that answers as a CUDA driver with two GPUs does, and keeps
// account of what its user holds. It is built several times from StandIn.cpp,
// each with another fault (CMakeLists.txt). A test opens the same file and
// reads and sets what is below.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TEST_STANDIN_H
#define NIBBLE_TEST_STANDIN_H

#include "Driver/CudaTypes.h"
#include <map>
#include <string>

namespace nibble::test {

/// The entry points, numbered.
enum Entry {
#define NIBBLE_CUDA_SYMBOL(name, version, parameters) Entry_##name,
#include "Driver/Symbols.def"
  EntryCount,
};

/// What a user of the driver holds until it gives it back.
enum Holding { Memory, Modules, Links, Streams, Events, Graphs, Executables };
constexpr int holdingCount = 7;

/// The driver's state. Read and written between calls only.
struct StandIn {
  struct Call {
    int count = 0;
    /// Of the last call: its thread's current context and capture mode.
    driver::CuContext context = nullptr;
    driver::CuCaptureMode mode = driver::CuCaptureGlobal;
  };
  Call calls[EntryCount];

  /// This entry returns `failure` and does nothing.
  Entry failing = EntryCount;
  driver::CuResult failure = driver::CuSuccess;

  /// References to each device's primary context.
  int retained[2] = {};
  /// What is held, by address, with the context that it was made in.
  std::map<void *, driver::CuContext> held[holdingCount];
  /// Sizes of device memory.
  std::map<void *, std::size_t> bytes;
  /// What no correct user does: handles that are not held, memory beyond its
  /// end, calls without a context or in another one. The first is described.
  int misuses = 0;
  std::string misuse;

  /// The version of CUDA that is told, if it is not the build's.
  int version = 0;

  /// Whether device memory is told to be managed.
  bool memoryIsManaged = false;
  /// Whether memory that the stand-in did not allocate is told to be
  /// page-locked.
  bool hostIsPageLocked = false;

  /// The last launch, and the one before.
  driver::CuLaunchConfig launch = {}, launchBefore = {};
  driver::CuLaunchAttribute attribute = {};
  /// The last limit of dynamic shared memory, and share of it that a kernel
  /// prefers, in percent.
  int sharedLimit = 0, sharedPreferred = 0;

  /// Anything held, contexts included.
  bool holdsAnything() const {
    for (const auto &kind : held)
      if (!kind.empty())
        return true;
    return retained[0] || retained[1];
  }
};

/// The library exports a function of this name, which gives its state.
constexpr const char *standInName = "nibbleStandIn";
using StandInFunction = StandIn *(*)();

/// And one of this name, which says whether this thread is in a call.
constexpr const char *standInBusyName = "nibbleStandInIsBusy";
using StandInBusyFunction = bool (*)();

/// Device memory of a stand-in's device, and the largest block's threads.
constexpr std::size_t standInMemory[2] = {1 << 20, 1 << 16};
constexpr unsigned standInThreads = 1024;

} // namespace nibble::test

#endif // NIBBLE_TEST_STANDIN_H
