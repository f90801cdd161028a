//===- Jit/BackgroundJobs.h - Work that no call waits for -------*- C++ -*-===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One thread that does jobs in their order, and how that ends: a process that
// exits does not wait for all jobs, and one that was forked does not wait for a
// thread that it does not have.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_JIT_BACKGROUNDJOBS_H
#define NIBBLE_JIT_BACKGROUNDJOBS_H

#include "Support/TaskQueue.h"
#include "nibble/Status.h"
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>

namespace nibble {

/// A queue of jobs and, from the first one on, their thread.
class BackgroundJobs {
public:
  /// A job looks at `stopping` now and then, and ends early once it is set.
  using Job = std::function<void(const std::atomic<bool> &stopping)>;

  BackgroundJobs();
  /// Sets `stopping`, waits for the job under way, and drops the rest.
  ~BackgroundJobs();

  /// Appends `job`; from any thread. OutOfMemory if no thread can be started.
  /// What a forked process inherited of its parent's jobs is the parent's.
  Status add(Job job);
  /// Waits until all jobs are done.
  void wait();

private:
  /// Replaces a parent's thread and jobs.
  void ownThread();
  /// Lets go of them.
  void leaveToParent();

  std::mutex mutex;
  int process;
  std::atomic<bool> stopping = false;
  std::unique_ptr<TaskQueue> queue;
};

} // namespace nibble

#endif // NIBBLE_JIT_BACKGROUNDJOBS_H
