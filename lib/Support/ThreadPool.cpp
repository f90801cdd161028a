//===- Support/ThreadPool.cpp - The host's threads ------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See ThreadPool.h.
//
//===----------------------------------------------------------------------===//

#include "Support/ThreadPool.h"
#include "Support/Processors.h"
#include <algorithm>
#include <exception>
#include <pthread.h>
#include <utility>

using namespace nibble;

/// Turns of a worker's wait before it sleeps, some tens of microseconds: layers
/// come one after the other, and waking a thread takes as long.
static constexpr int turnsBeforeSleep = 2000;

/// The parts of ThreadPool::state.
static constexpr uint64_t oneJob = 1 << 16, open = 1 << 15, joined = open - 1;

static void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

ThreadPool::ThreadPool(unsigned threads) {
  try {
    for (unsigned i = 1; i < threads; ++i)
      workers.emplace_back([this] { work(); });
  } catch (const std::exception &) { // std::system_error or std::bad_alloc
    // There can be no more: those that are there do the work.
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(sleepMutex);
    stopping = true;
    state += oneJob;
  }
  wake.notify_all();
  for (std::thread &worker : workers)
    worker.join();
}

ThreadPool &ThreadPool::shared() {
  // Never destroyed: joining threads while a process or library goes away
  // can hang.
  static std::atomic<ThreadPool *> pool = nullptr;
  static std::mutex mutex;
  if (ThreadPool *found = pool.load(std::memory_order_acquire))
    return *found;
  // A forked process has none of the workers, and makes a pool of its own.
  static std::once_flag once;
  std::call_once(once, [] {
    pthread_atfork([] { mutex.lock(); }, [] { mutex.unlock(); },
                   [] {
                     pool = nullptr;
                     mutex.unlock();
                   });
  });
  std::lock_guard lock(mutex);
  if (!pool)
    pool = new ThreadPool(computeThreads(/*cores=*/true));
  return *pool;
}

void ThreadPool::takeRanges() {
  try {
    while (!failed) {
      int64_t first = next.fetch_add(step, std::memory_order_relaxed);
      if (first >= count)
        return;
      (*body)(first, std::min(first + step, count));
    }
  } catch (...) {
    if (!failed.exchange(true))
      thrown = std::current_exception();
  }
}

void ThreadPool::work() {
  uint64_t now = 0;
  while (true) {
    auto unchanged = [&, seen = now / oneJob] {
      return (now = state) / oneJob == seen;
    };
    for (int turn = 0; turn < turnsBeforeSleep && unchanged(); ++turn)
      relax();
    if (unchanged()) {
      std::unique_lock lock(sleepMutex);
      wake.wait(lock, [&] { return !unchanged(); });
    }
    if (stopping)
      return;
    while (now & open)
      if (state.compare_exchange_weak(now, now + 1)) {
        takeRanges();
        --state;
        break;
      }
  }
}

void ThreadPool::runBoth(llvm::function_ref<void()> first,
                         llvm::function_ref<void()> second) {
  ThreadPool(2).run(2, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part)
      part ? second() : first();
  });
}

void ThreadPool::run(int64_t jobCount, Body jobBody) {
  std::unique_lock job(jobMutex, std::try_to_lock);
  if (!job || workers.empty() || jobCount < 2) {
    if (jobCount > 0)
      jobBody(0, jobCount);
    return;
  }
  body = &jobBody;
  count = jobCount;
  // A few ranges a thread, so that one that is held up does not hold up all.
  step = std::max<int64_t>(1, jobCount / (4 * (workers.size() + 1)));
  next = 0;
  {
    std::lock_guard lock(sleepMutex);
    state += oneJob + open;
  }
  wake.notify_all();
  takeRanges();
  state -= open;
  while (state & joined)
    relax();
  if (failed.exchange(false))
    std::rethrow_exception(std::exchange(thrown, nullptr));
}
