//===- Support/TaskQueue.cpp - Work for other threads ---------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See TaskQueue.h.
//
//===----------------------------------------------------------------------===//

#include "Support/TaskQueue.h"
#include <exception>

using namespace nibble;

TaskQueue::~TaskQueue() {
  {
    std::lock_guard lock(mutex);
    stopping = true;
  }
  changed.notify_all();
  for (std::thread &thread : threads)
    thread.join();
}

bool TaskQueue::add(std::function<void()> task) {
  std::lock_guard lock(mutex);
  waiting.push_back(std::move(task));
  if (threads.size() < mostThreads) {
    try {
      threads.emplace_back([this] { work(); });
    } catch (const std::exception &) { // std::system_error or std::bad_alloc
      if (threads.empty()) {
        waiting.pop_back();
        return false;
      }
    }
  }
  changed.notify_all();
  return true;
}

void TaskQueue::wait() {
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return waiting.empty() && underWay == 0; });
}

void TaskQueue::work() {
  std::unique_lock lock(mutex);
  while (true) {
    changed.wait(lock, [&] { return stopping || !waiting.empty(); });
    if (stopping)
      return;
    {
      std::function<void()> task = std::move(waiting.front());
      waiting.pop_front();
      ++underWay;
      lock.unlock();
      try {
        task();
      } catch (...) {
      }
    }
    lock.lock();
    --underWay;
    changed.notify_all();
  }
}
