//===- DevicesTest.cpp - Several devices, and the host's contexts ---------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Driver/Memory.h"
#include "Driver/Module.h"
#include "WithStandIn.h"
#include <climits>
#include <thread>
#include <vector>

using namespace nibble;
using namespace nibble::driver;
using namespace nibble::test;

namespace {

using Devices = WithStandIn;

TEST_F(Devices, AreNumberedFromZero) {
  for (int ordinal : {-1, 2, INT_MAX, INT_MIN})
    EXPECT_REFUSED(driver->device(ordinal).status(), NotFound,
                   "no CUDA device " + std::to_string(ordinal) +
                       ": the driver shows 2 (numbered from 0)");
  EXPECT_EQ(&device(0), &device(0));
  EXPECT_EQ(device(0).ordinal(), 0);
  EXPECT_EQ(device(1).ordinal(), 1);
  EXPECT_NE(device(0).context(), device(1).context());
  EXPECT_EQ(state->retained[0], 1);
  EXPECT_EQ(state->retained[1], 1);
}

TEST_F(Devices, OnlyThoseAskedForAreOpened) {
  device(1);
  EXPECT_EQ(state->retained[0], 0);
  EXPECT_EQ(state->retained[1], 1);
}

/// The stand-in answers 1000 times the attribute, and the device.
TEST_F(Devices, HavePropertiesOfTheirOwn) {
  const DeviceProperties &one = device(0).properties();
  EXPECT_EQ(one.name, "Stand-in A");
  EXPECT_EQ(one.computeCapability, 90);
  EXPECT_EQ(one.memoryBytes, standInMemory[0]);
  EXPECT_EQ(one.maxSharedBytesPerBlock, 232448u);
  EXPECT_EQ(one.maxThreadsPerBlock, 1024);
  const DeviceProperties &two = device(1).properties();
  EXPECT_EQ(two.name, "Stand-in B");
  EXPECT_EQ(two.computeCapability, 86);
  EXPECT_EQ(two.memoryBytes, standInMemory[1]);
  EXPECT_EQ(two.multiprocessors, 16001);
  EXPECT_EQ(two.l2Bytes, 38001u);
  EXPECT_EQ(two.maxSharedBytesPerBlock, 101376u);
  EXPECT_EQ(two.sharedBytesPerMultiprocessor, 102400u);
  EXPECT_EQ(two.registersPerMultiprocessor, 82001);
  EXPECT_EQ(two.maxThreadsPerMultiprocessor, 39001);
  EXPECT_EQ(two.maxBlocksPerMultiprocessor, 106001);
  EXPECT_EQ(two.warpSize, 10001);
  EXPECT_EQ(two.clockKHz, 13001);
  EXPECT_EQ(two.memoryClockKHz, 36001);
  EXPECT_EQ(two.memoryBusBits, 37001);
}

TEST_F(Devices, ThatDoNotOpenAreTriedAgain) {
  for (auto [entry, call] :
       {std::pair(Entry_cuDeviceGet, "cuDeviceGet(ordinal=1)"),
        std::pair(Entry_cuDeviceGetName, "cuDeviceGetName(device=1)"),
        std::pair(Entry_cuDeviceTotalMem, "cuDeviceTotalMem(device=1)"),
        std::pair(Entry_cuDeviceGetAttribute,
                  "cuDeviceGetAttribute(attribute=75, device=1)"),
        std::pair(Entry_cuDevicePrimaryCtxRetain,
                  "cuDevicePrimaryCtxRetain(device=1)")}) {
    fail(entry);
    EXPECT_REFUSED(driver->device(1).status(), DeviceError,
                   "CUDA device 1: " + std::string(call) +
                       " failed: CUDA_ERROR_INVALID_VALUE (1)");
    EXPECT_EQ(state->retained[1], 0);
  }
  fail(EntryCount);
  device(1);
}

TEST_F(Devices, OpenOnceForManyThreads) {
  std::vector<const Device *> found(8);
  std::vector<std::thread> threads;
  for (const Device *&each : found)
    threads.emplace_back([&] { each = &device(1); });
  for (std::thread &thread : threads)
    thread.join();
  for (const Device *each : found)
    EXPECT_EQ(each, found[0]);
  EXPECT_EQ(state->retained[1], 1);
}

//===----------------------------------------------------------------------===//
// Contexts of the host program
//===----------------------------------------------------------------------===//

/// Every call leaves the host's context current, also one that fails, on each
/// thread its own.
TEST_F(Devices, LeaveTheHostsContextCurrent) {
  const Device &one = device(0), &two = device(1);
  char hosts[2];
  auto work = [&](char *host) {
    const CudaApi &api = driver->api();
    auto context = reinterpret_cast<CuContext>(host);
    api.cuCtxPushCurrent(context);
    for (int run = 0; run < 100; ++run) {
      for (const Device *each : {&one, &two}) {
        Result<DeviceBuffer> buffer = DeviceBuffer::allocate(*each, 16);
        EXPECT_EQ(current(), context);
        ASSERT_TRUE(buffer.ok()) << buffer.status().message();
        Result<DeviceBuffer> same = buffer->duplicate();
        EXPECT_EQ(current(), context);
        EXPECT_TRUE(same.ok()) << same.status().message();
        Result<DeviceBuffer> tooLarge =
            DeviceBuffer::allocate(*each, size_t(1) << 40);
        EXPECT_EQ(tooLarge.status().code(), ErrorCode::OutOfMemory);
        EXPECT_EQ(current(), context);
        EXPECT_FALSE(assemble(*each, "bad", "kernel").ok());
        EXPECT_EQ(current(), context);
        EXPECT_FALSE(Module::load(*each, "no cubin", "kernel", 0).ok());
        EXPECT_EQ(current(), context);
      }
      EXPECT_EQ(current(), context);
    }
    CuContext popped = nullptr;
    api.cuCtxPopCurrent(&popped);
    EXPECT_EQ(popped, context);
    EXPECT_EQ(current(), nullptr); // nothing was left above or below it
  };
  std::thread first(work, &hosts[0]), second(work, &hosts[1]);
  first.join();
  second.join();
}

TEST_F(Devices, AreCurrentOnceForNestedGuards) {
  ContextGuard outer(device());
  ASSERT_TRUE(outer.status().ok());
  EXPECT_EQ(current(), device().context());
  int pushes = state->calls[Entry_cuCtxPushCurrent].count;
  {
    ContextGuard inner(device());
    EXPECT_TRUE(inner.status().ok());
    EXPECT_EQ(current(), device().context());
    ContextGuard other(device(1));
    EXPECT_EQ(current(), device(1).context());
  }
  EXPECT_EQ(state->calls[Entry_cuCtxPushCurrent].count, pushes + 1);
  EXPECT_EQ(current(), device().context());
}

TEST_F(Devices, SayThatTheirContextIsNotToBeHad) {
  const Device &two = device(1);
  fail(Entry_cuCtxPushCurrent);
  for (const Status &status :
       {ContextGuard(two).status(), DeviceBuffer::allocate(two, 1).status(),
        assemble(two, "ptx", "kernel").status(),
        Module::load(two, "cubin ", "kernel", 0).status()})
    EXPECT_REFUSED(status, DeviceError,
                   "cuCtxPushCurrent(device=1) failed: "
                   "CUDA_ERROR_INVALID_VALUE (1)");
  EXPECT_EQ(state->calls[Entry_cuCtxPopCurrent].count, 0);
}

//===----------------------------------------------------------------------===//
// Capture
//===----------------------------------------------------------------------===//

/// Allocating, linking and loading are allowed while another thread captures,
/// and the thread's own mode is put back.
TEST_F(Devices, MayBeUsedWhileAnotherThreadCaptures) {
  const CudaApi &api = driver->api();
  CuCaptureMode mode = CuCaptureThreadLocal;
  api.cuThreadExchangeStreamCaptureMode(&mode);
  EXPECT_EQ(mode, CuCaptureGlobal);
  {
    auto buffer = DeviceBuffer::allocate(device(), 16);
    auto cubin = assemble(device(), "ptx", "kernel");
    ASSERT_TRUE(buffer.ok() && cubin.ok());
    auto module = Module::load(device(), *cubin, "kernel", 0);
    ASSERT_TRUE(module.ok());
  }
  for (Entry entry : {Entry_cuMemAlloc, Entry_cuMemFree, Entry_cuLinkCreate,
                      Entry_cuLinkComplete, Entry_cuLinkDestroy,
                      Entry_cuModuleLoadDataEx, Entry_cuModuleUnload}) {
    EXPECT_EQ(state->calls[entry].count, 1);
    EXPECT_EQ(state->calls[entry].mode, CuCaptureRelaxed) << entry;
  }
  mode = CuCaptureGlobal;
  api.cuThreadExchangeStreamCaptureMode(&mode);
  EXPECT_EQ(mode, CuCaptureThreadLocal);
  // A driver that does not exchange is not asked to undo it.
  fail(Entry_cuThreadExchangeStreamCaptureMode);
  int exchanges = state->calls[Entry_cuThreadExchangeStreamCaptureMode].count;
  {
    RelaxedCaptureGuard guard(device());
  }
  EXPECT_EQ(state->calls[Entry_cuThreadExchangeStreamCaptureMode].count,
            exchanges + 1);
}

} // namespace
