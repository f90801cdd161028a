//===- Support/ThreadPool.h - The host's threads --------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Splits the programs of one launch over the caller's thread and workers.
// LLVM's pools put each task into a queue of heap-allocated functions and leave
// the caller idle; a launch takes some hundred microseconds and must allocate
// nothing, so this pool has one job at a time and no queue.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_SUPPORT_THREADPOOL_H
#define NIBBLE_SUPPORT_THREADPOOL_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace nibble {

/// A fixed number of threads.
class ThreadPool {
public:
  using Body = llvm::function_ref<void(int64_t first, int64_t end)>;

  /// `threads` counts the caller's.
  explicit ThreadPool(unsigned threads);
  ~ThreadPool();

  /// The pool of the process: a thread for each core (computeThreads()).
  static ThreadPool &shared();

  /// Calls `body` for ranges that make up [0, count), on this thread and the
  /// workers, and returns when all are done. Waits for no worker that has not
  /// begun: on a busy machine one may get its turn milliseconds later. While
  /// another thread's job runs, this thread does all of it alone. What `body`
  /// throws, on whatever thread, this throws when all threads have left it; the
  /// rest of [0, count) is then left out.
  void run(int64_t count, Body body);

  /// Calls both, side by side, and returns when both are done; throws as run().
  static void runBoth(llvm::function_ref<void()> first,
                      llvm::function_ref<void()> second);

private:
  void work();
  void takeRanges();

  std::vector<std::thread> workers;
  std::mutex jobMutex; // held by the thread whose job it is
  // The job, written before `state` says that it is open.
  const Body *body = nullptr;
  int64_t count = 0, step = 1;
  std::atomic<int64_t> next = 0;
  /// In one word, so that joining a job and closing it exclude each other: from
  /// bit 16 on the number of jobs so far, at bit 15 whether the last one may be
  /// joined, and below the number of workers that have joined it.
  std::atomic<uint64_t> state = 0;
  /// What a body threw first.
  std::atomic<bool> failed = false;
  std::exception_ptr thrown;
  std::atomic<bool> stopping = false;
  std::mutex sleepMutex;
  std::condition_variable wake;
};

} // namespace nibble

#endif // NIBBLE_SUPPORT_THREADPOOL_H
