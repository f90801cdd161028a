//===- Support/TaskQueue.h - Work for other threads -------------*- C++ -*-===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// For work that takes milliseconds and that its giver does not wait for at
// once; ThreadPool is for programs of a launch. LLVM's pools end the process
// where no thread can be started, this one says so.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_SUPPORT_TASKQUEUE_H
#define NIBBLE_SUPPORT_TASKQUEUE_H

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace nibble {

/// A queue of tasks and the threads that take them, in order.
class TaskQueue {
public:
  /// Up to `mostThreads` threads, which start with the first tasks.
  explicit TaskQueue(unsigned mostThreads) : mostThreads(mostThreads) {}
  /// Waits for the tasks under way, and drops the rest.
  ~TaskQueue();

  /// Appends `task`; from any thread. False if there is no thread to take it,
  /// and none can be started: it is dropped then. What it throws is lost.
  bool add(std::function<void()> task);
  /// Waits until all tasks are done.
  void wait();

private:
  void work();

  const unsigned mostThreads;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> waiting;
  size_t underWay = 0;
  bool stopping = false;
  std::vector<std::thread> threads;
};

} // namespace nibble

#endif // NIBBLE_SUPPORT_TASKQUEUE_H
