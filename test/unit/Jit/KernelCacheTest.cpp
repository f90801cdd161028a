//===- KernelCacheTest.cpp - Kernels of this process ----------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Jit/KernelCache.h"
#include "Support/Files.h"
#include <gtest/gtest.h>
#include <thread>
#include <vector>

using namespace nibble;

namespace {

using Kernel = std::shared_ptr<const LoadedKernel>;

/// Kernel number `number`, which no other test has.
Kernel get(int number, Keep keep) {
  CompileRequest request;
  request.text = *readFile(NIBBLE_TEST_KERNELS "/repack.mlir");
  request.config = "BITS=8 BLOCK_K=4 BLOCK_N=" + std::to_string(4 * number);
  Result<Kernel> kernel = findOrCompile(request, nullptr, keep);
  EXPECT_TRUE(kernel.ok()) << kernel.status().message();
  return *kernel;
}

TEST(KernelCache, WhatIsTriedGoesWithItsOwners) {
  Kernel first = get(1, Keep::WhileHeld), second = get(1, Keep::WhileHeld);
  EXPECT_EQ(first, second);
  std::weak_ptr<const LoadedKernel> seen = first;
  first.reset();
  EXPECT_EQ(get(1, Keep::WhileHeld), second);
  second.reset();
  EXPECT_TRUE(seen.expired());
  // It can be had again.
  EXPECT_NE(get(1, Keep::WhileHeld), nullptr);
}

TEST(KernelCache, WhatRunsStays) {
  std::weak_ptr<const LoadedKernel> seen = get(2, Keep::Always);
  EXPECT_EQ(get(2, Keep::WhileHeld), seen.lock());
  EXPECT_FALSE(seen.expired());
  // Whoever asked first.
  Kernel tried = get(3, Keep::WhileHeld);
  seen = tried;
  EXPECT_EQ(get(3, Keep::Always), tried);
  tried.reset();
  EXPECT_FALSE(seen.expired());
}

/// Threads that try a kernel at a time share it, and one may keep it.
TEST(KernelCache, ThreadsShareWhatIsTried) {
  for (int number = 4; number < 7; ++number) {
    bool kept = number == 6;
    std::vector<Kernel> got(8);
    std::vector<std::thread> threads;
    for (size_t t = 0; t < got.size(); ++t)
      threads.emplace_back([&, t] {
        got[t] = get(number, kept && t == 7 ? Keep::Always : Keep::WhileHeld);
      });
    for (std::thread &thread : threads)
      thread.join();
    for (const Kernel &each : got)
      EXPECT_EQ(each, got[0]);
    std::weak_ptr<const LoadedKernel> seen = got[0];
    got.clear();
    EXPECT_EQ(seen.expired(), !kept);
  }
}

} // namespace
