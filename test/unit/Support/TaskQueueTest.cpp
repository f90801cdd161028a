//===- TaskQueueTest.cpp - Work for other threads -------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Support/TaskQueue.h"
#include <atomic>
#include <gtest/gtest.h>
#include <system_error>

using namespace nibble;

namespace {

/// False under `SYSTEM_FAULTS=no-threads` (test/lit/Model/no-threads.test).
bool threadsStart() {
  try {
    std::thread([] {}).join();
    return true;
  } catch (const std::system_error &) {
    return false;
  }
}

TEST(TaskQueue, DoesEachTaskOnce) {
  for (unsigned threads : {1u, 3u}) {
    TaskQueue queue(threads);
    std::atomic<int> done[100] = {};
    for (std::atomic<int> &each : done)
      ASSERT_TRUE(queue.add([&] { ++each; }));
    queue.wait();
    for (std::atomic<int> &each : done)
      EXPECT_EQ(each, 1);
  }
}

TEST(TaskQueue, ItsThreadsWorkAtATime) {
  TaskQueue queue(3);
  std::atomic<int> arrived = 0;
  for (int i = 0; i < 3; ++i)
    queue.add([&] {
      ++arrived;
      while (arrived < 3)
        std::this_thread::yield();
    });
  queue.wait();
  EXPECT_EQ(arrived, 3);
}

TEST(TaskQueue, OutlivesWhatItsTasksThrow) {
  TaskQueue queue(1);
  bool done = false;
  queue.add([] { throw std::bad_alloc(); });
  queue.add([&] { done = true; });
  queue.wait();
  EXPECT_TRUE(done);
}

TEST(TaskQueue, SaysWhereNoThreadStarts) {
  bool starts = threadsStart();
  std::atomic<bool> done = false;
  TaskQueue queue(2);
  EXPECT_EQ(queue.add([&] { done = true; }), starts);
  queue.wait();
  EXPECT_EQ(done, starts);
}

} // namespace
