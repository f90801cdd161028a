//===- ForkTest.cpp - Processes forked from a busy one --------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Compiler/ContextPool.h"
#include "Jit/KernelFile.h"
#include "Support/Files.h"
#include "nibble/JitKernel.h"
#include <atomic>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace nibble;

namespace {

/// Kernel number `number`, all different.
CompileRequest numbered(int number) {
  CompileRequest request;
  request.text = *readFile(NIBBLE_TEST_KERNELS "/repack.mlir");
  request.config = "BITS=4 BLOCK_K=8 BLOCK_N=" + std::to_string(8 * number);
  return request;
}

/// True if kernel number `number` is there and computes.
bool works(int number) {
  Result<JitKernel> kernel = JitKernel::create(numbered(number));
  if (!kernel.ok())
    return false;
  // Many programs, so that the pool's threads have a part in it.
  constexpr int64_t K = 8, N = 4096;
  std::vector<int32_t> from(N), to(K * N / 8);
  for (int64_t n = 0; n < N; ++n)
    from[static_cast<size_t>(n)] = static_cast<int32_t>(2654435761u * n);
  Status status = kernel->run(
      {{"from", TensorView::dense(from.data(), DType::I32, {1, N})},
       {"to", TensorView::dense(to.data(), DType::I32, {K, N / 8})}},
      {{"K", K}, {"N", N}});
  for (int64_t k = 0; k < K && status.ok(); ++k)
    for (int64_t n = 0; n < N; ++n)
      if ((static_cast<uint32_t>(to[static_cast<size_t>(k * N / 8 + n / 8)]) >>
               4 * (n % 8) &
           15) !=
          (static_cast<uint32_t>(from[static_cast<size_t>(n)]) >> 4 * k & 15))
        return false;
  return status.ok();
}

TEST(Fork, ChildrenGoOnWhereOthersWereCompiling) {
#if __has_feature(thread_sanitizer)
  GTEST_SKIP() << "ThreadSanitizer lets a forked process start no thread";
#endif
  ASSERT_TRUE(works(1));
  std::atomic<int> next = 2;
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&] {
      while (!stop)
        EXPECT_TRUE(works(next++));
    });
  threads.emplace_back([&] {
    while (!stop)
      EXPECT_TRUE(works(1));
  });
  for (int round = 0; round < 12; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20 + 7 * round));
    pid_t child = fork();
    if (child == 0) {
      alarm(120); // ends a child that waits for ever
      // Kernels that are there, that are being compiled, and that are new.
      int first = next;
      bool good = works(1);
      for (int number = std::max(2, first - 3); number < first + 2; ++number)
        good &= works(number);
      _exit(good ? 0 : 1);
    }
    ASSERT_GT(child, 0);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
        << "round " << round << ", status " << status;
  }
  stop = true;
  for (std::thread &thread : threads)
    thread.join();
}

/// A lock that is held while another thread forks is held for ever there.
TEST(Fork, ChildrenWaitForNoThreadThatTheyLack) {
  auto use = [] {
    EXPECT_FALSE(findInKernelFiles("none"));
    giveContext(takeContext());
  };
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&] {
      while (!stop)
        use();
    });
  for (int round = 0; round < 60; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    pid_t child = fork();
    if (child == 0) {
      alarm(20);
      use();
      _exit(0);
    }
    ASSERT_GT(child, 0);
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status)) << "round " << round;
  }
  stop = true;
  for (std::thread &thread : threads)
    thread.join();
}

} // namespace
