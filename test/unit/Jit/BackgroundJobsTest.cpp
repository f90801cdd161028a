//===- BackgroundJobsTest.cpp - Work that no call waits for ---------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Jit/BackgroundJobs.h"
#include <chrono>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace nibble;

namespace {

TEST(BackgroundJobs, AreDoneInOrderOnAnotherThread) {
  BackgroundJobs jobs;
  std::vector<int> done;
  std::thread::id caller = std::this_thread::get_id();
  for (int i = 0; i < 50; ++i)
    (void)jobs.add([&, i](const std::atomic<bool> &stopping) {
      EXPECT_FALSE(stopping);
      EXPECT_NE(std::this_thread::get_id(), caller);
      done.push_back(i); // one thread: no lock
    });
  jobs.wait();
  ASSERT_EQ(done.size(), 50u);
  for (int i = 0; i < 50; ++i)
    EXPECT_EQ(done[i], i);
}

TEST(BackgroundJobs, EndEarlyWithTheirOwner) {
  std::atomic<int> begun = 0, ended = 0;
  {
    BackgroundJobs jobs;
    for (int i = 0; i < 10; ++i)
      (void)jobs.add([&](const std::atomic<bool> &stopping) {
        ++begun;
        while (!stopping)
          std::this_thread::yield();
        ++ended;
      });
    while (begun == 0)
      std::this_thread::yield();
  }
  EXPECT_EQ(begun, 1);
  EXPECT_EQ(ended, 1);
}

/// A forked process has none of its parent's threads: it neither waits for them
/// nor does their jobs, and can have jobs of its own.
TEST(BackgroundJobs, BelongToTheProcessThatAddedThem) {
#if __has_feature(thread_sanitizer)
  GTEST_SKIP() << "ThreadSanitizer lets a forked process start no thread";
#endif
  auto *jobs = new BackgroundJobs;
  std::atomic<bool> begun = false, release = false;
  int runs = 0;
  (void)jobs->add([&](const std::atomic<bool> &) {
    begun = true;
    while (!release)
      std::this_thread::yield();
    ++runs;
  });
  while (!begun)
    std::this_thread::yield();
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(20); // rather than wait for ever
    int own = 0;
    (void)jobs->add([&](const std::atomic<bool> &) { ++own; });
    jobs->wait();
    delete jobs;
    _exit(own == 1 && runs == 0 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  release = true;
  jobs->wait();
  EXPECT_EQ(runs, 1);
  delete jobs;
}

} // namespace
