//===- ThreadPoolTest.cpp - Every index once ------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Support/ThreadPool.h"
#include <gtest/gtest.h>

using namespace nibble;

namespace {

TEST(ThreadPool, EveryIndexOnce) {
  for (unsigned threads : {1u, 2u, 5u}) {
    ThreadPool pool(threads);
    for (int64_t count : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> seen(count);
      pool.run(count, [&](int64_t first, int64_t end) {
        for (int64_t i = first; i < end; ++i)
          ++seen[i];
      });
      for (auto &each : seen)
        EXPECT_EQ(each, 1);
    }
  }
}

TEST(ThreadPool, CallersDoNotWaitForEachOther) {
  ThreadPool pool(3);
  std::atomic<int64_t> sum = 0;
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t)
    callers.emplace_back([&] {
      for (int i = 0; i < 300; ++i)
        pool.run(50, [&](int64_t first, int64_t end) { sum += end - first; });
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(sum, 4 * 300 * 50);
}

// Workers join jobs that are about to be closed, and jobs that follow at once.
TEST(ThreadPool, ManySmallJobs) {
  ThreadPool pool(8);
  std::vector<int> seen(8); // each index is one thread's at a time
  for (int job = 1; job <= 20000; ++job) {
    pool.run(8, [&](int64_t first, int64_t end) {
      for (int64_t i = first; i < end; ++i)
        ++seen[i];
    });
    for (int each : seen)
      ASSERT_EQ(each, job);
  }
}

/// What a body throws, on a worker or here, its giver gets, once no thread is
/// in it any more; and the pool goes on.
TEST(ThreadPool, CarriesExceptionsToTheCaller) {
  for (unsigned threads : {1u, 2u, 5u}) {
    ThreadPool pool(threads);
    for (int64_t thrower = 0; thrower < 100; ++thrower) {
      std::atomic<int> within = 0;
      auto run = [&](bool all) {
        pool.run(100, [&](int64_t first, int64_t end) {
          ++within;
          bool throws = all || (first <= thrower && thrower < end);
          --within;
          if (throws)
            throw thrower;
        });
      };
      try {
        run(thrower % 2);
        ADD_FAILURE() << "nothing was thrown";
      } catch (int64_t thrown) {
        EXPECT_EQ(thrown, thrower);
        EXPECT_EQ(within, 0);
      }
    }
    std::atomic<int64_t> sum = 0;
    pool.run(100, [&](int64_t first, int64_t end) { sum += end - first; });
    EXPECT_EQ(sum, 100);
  }
}

TEST(ThreadPool, RunsBoth) {
  for (int i = 0; i < 200; ++i) {
    int first = 0, second = 0;
    ThreadPool::runBoth([&] { ++first; }, [&] { ++second; });
    EXPECT_EQ(first, 1);
    EXPECT_EQ(second, 1);
  }
  for (bool which : {false, true}) {
    auto throwIf = [](bool throws) {
      if (throws)
        throw 7;
    };
    EXPECT_THROW(
        ThreadPool::runBoth([&] { throwIf(!which); }, [&] { throwIf(which); }),
        int);
  }
}

TEST(ThreadPool, SleepingWorkersWake) {
  ThreadPool pool(4);
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    std::atomic<int64_t> sum = 0;
    pool.run(100, [&](int64_t first, int64_t end) { sum += end - first; });
    EXPECT_EQ(sum, 100);
  }
}

} // namespace
