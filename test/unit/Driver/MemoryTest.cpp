//===- MemoryTest.cpp - Device memory -------------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Driver/Memory.h"
#include "WithStandIn.h"
#include <random>
#include <vector>

using namespace nibble;
using namespace nibble::driver;
using namespace nibble::test;

namespace {

class DeviceMemory : public WithStandIn {
protected:
  std::vector<char> randomBytes(size_t count) {
    std::vector<char> bytes(count);
    for (char &byte : bytes)
      byte = static_cast<char>(random());
    return bytes;
  }

  std::vector<char> contentOf(const Device &device,
                              const DeviceBuffer &buffer) {
    std::vector<char> bytes(buffer.bytes());
    Status status = copyToHost(device, bytes.data(), buffer.address(),
                               bytes.size(), nullptr);
    EXPECT_TRUE(status.ok()) << status.message();
    return bytes;
  }

  std::mt19937 random{std::random_device{}()};
};

TEST_F(DeviceMemory, RunsOutOnEachDeviceByItself) {
  EXPECT_REFUSED(DeviceBuffer::allocate(device(1), 70000).status(), OutOfMemory,
                 "cuMemAlloc(bytes=70000) failed: CUDA_ERROR_OUT_OF_MEMORY "
                 "(2)");
  auto first = DeviceBuffer::allocate(device(0), 70000);
  ASSERT_TRUE(first.ok()) << first.status().message();
  EXPECT_EQ(state->calls[Entry_cuMemAlloc].context, device(0).context());
  auto second = DeviceBuffer::allocate(device(1), 60000);
  ASSERT_TRUE(second.ok()) << second.status().message();
  EXPECT_EQ(state->calls[Entry_cuMemAlloc].context, device(1).context());
  EXPECT_EQ(DeviceBuffer::allocate(device(1), 60000).status().code(),
            ErrorCode::OutOfMemory);
  *second = DeviceBuffer(); // and is free again
  EXPECT_TRUE(DeviceBuffer::allocate(device(1), 60000).ok());
}

TEST_F(DeviceMemory, KeepsWhatIsCopied) {
  for (int ordinal : {0, 1})
    for (size_t bytes : {1, 255, 4096}) {
      const Device &there = device(ordinal);
      std::vector<char> content = randomBytes(bytes);
      auto buffer = DeviceBuffer::copyOf(there, content.data(), bytes);
      ASSERT_TRUE(buffer.ok()) << buffer.status().message();
      EXPECT_EQ(buffer->bytes(), bytes);
      EXPECT_EQ(contentOf(there, *buffer), content);
      auto same = buffer->duplicate();
      ASSERT_TRUE(same.ok()) << same.status().message();
      EXPECT_NE(same->address(), buffer->address());

      // A copy of its own, which moves.
      std::vector<char> other = randomBytes(bytes);
      ASSERT_TRUE(
          copyToDevice(there, buffer->address(), other.data(), bytes, nullptr)
              .ok());
      DeviceBuffer moved = std::move(*same);
      EXPECT_EQ(contentOf(there, *buffer), other);
      EXPECT_EQ(contentOf(there, moved), content);
      EXPECT_EQ(state->held[Memory].size(), 2u);
    }
}

TEST_F(DeviceMemory, OfNoBytesIsAnAddress) {
  auto buffer = DeviceBuffer::copyOf(device(), nullptr, 0);
  ASSERT_TRUE(buffer.ok()) << buffer.status().message();
  EXPECT_NE(buffer->address(), 0u);
  EXPECT_EQ(buffer->bytes(), 0u);
  auto same = buffer->duplicate();
  ASSERT_TRUE(same.ok());
  EXPECT_NE(same->address(), buffer->address());
  EXPECT_EQ(state->calls[Entry_cuMemcpyHtoDAsync].count, 0);
  // No memory at all.
  auto none = DeviceBuffer().duplicate();
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(none->address(), 0u);
}

TEST_F(DeviceMemory, IsFreedWhereACopyFails) {
  std::vector<char> content = randomBytes(100);
  auto buffer = DeviceBuffer::copyOf(device(), content.data(), 100);
  ASSERT_TRUE(buffer.ok());
  fail(Entry_cuMemcpyHtoDAsync);
  EXPECT_REFUSED(DeviceBuffer::copyOf(device(), content.data(), 100).status(),
                 DeviceError, "cuMemcpyHtoDAsync(bytes=100) failed: CUDA_");
  fail(Entry_cuMemcpyDtoDAsync);
  EXPECT_REFUSED(buffer->duplicate().status(), DeviceError,
                 "cuMemcpyDtoDAsync(bytes=100) failed: CUDA_");
  fail(Entry_cuMemcpyDtoHAsync);
  EXPECT_REFUSED(
      copyToHost(device(), content.data(), buffer->address(), 100, nullptr),
      DeviceError, "cuMemcpyDtoHAsync(bytes=100) failed: CUDA_");
  // An error of work that was put on the stream before.
  fail(Entry_cuStreamSynchronize, 700);
  EXPECT_REFUSED(DeviceBuffer::copyOf(device(), content.data(), 100).status(),
                 DeviceError,
                 "cuStreamSynchronize(device=0) failed: CUDA "
                 "error (700)");
  EXPECT_REFUSED(buffer->duplicate().status(), DeviceError,
                 "cuStreamSynchronize(device=0) failed");
  EXPECT_EQ(state->held[Memory].size(), 1u);
}

TEST_F(DeviceMemory, IsToldFromTheHosts) {
  auto own = DeviceBuffer::allocate(device(1), 100);
  ASSERT_TRUE(own.ok());
  auto inside = reinterpret_cast<const void *>(own->address() + 99);
  int host = 0;
  Result<bool> there = isDeviceAddress(device(1), inside);
  EXPECT_TRUE(there.ok() && *there);
  for (bool locked : {false, true}) {
    state->hostIsPageLocked = locked;
    there = isDeviceAddress(device(1), &host);
    EXPECT_TRUE(there.ok() && !*there) << locked;
  }
  EXPECT_REFUSED(isDeviceAddress(device(0), inside).status(), InvalidArgument,
                 "memory of CUDA device 1 is used on device 0");
  fail(Entry_cuPointerGetAttributes);
  EXPECT_REFUSED(isDeviceAddress(device(0), inside).status(), DeviceError,
                 "cuPointerGetAttributes(device=0) failed: CUDA_ERROR_");
  fail(EntryCount);
  state->memoryIsManaged = true; // then every device can
  there = isDeviceAddress(device(0), inside);
  EXPECT_TRUE(there.ok() && *there);
}

} // namespace
