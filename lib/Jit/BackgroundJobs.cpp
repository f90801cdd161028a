//===- Jit/BackgroundJobs.cpp - Work that no call waits for ---------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See BackgroundJobs.h.
//
//===----------------------------------------------------------------------===//

#include "Jit/BackgroundJobs.h"
#include <unistd.h>

using namespace nibble;

static std::unique_ptr<llvm::DefaultThreadPool> oneThread() {
  return std::make_unique<llvm::DefaultThreadPool>(
      llvm::hardware_concurrency(1));
}

BackgroundJobs::BackgroundJobs() : process(getpid()), pool(oneThread()) {}

BackgroundJobs::~BackgroundJobs() {
  stopping = true;
  ownThread();
}

void BackgroundJobs::ownThread() {
  if (process == getpid())
    return;
  // Its destructor would join a thread that is the parent's.
  (void)pool.release();
  process = getpid();
  pool = oneThread();
}

void BackgroundJobs::add(Job job) {
  std::lock_guard lock(mutex);
  ownThread();
  pool->async([this, job = std::move(job)] {
    if (!stopping)
      job(stopping);
  });
}

void BackgroundJobs::wait() {
  {
    std::lock_guard lock(mutex);
    ownThread();
  }
  pool->wait();
}
