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

BackgroundJobs::BackgroundJobs()
    : process(getpid()), queue(std::make_unique<TaskQueue>(1)) {}

BackgroundJobs::~BackgroundJobs() {
  stopping = true;
  if (process != getpid())
    leaveToParent();
}

void BackgroundJobs::leaveToParent() {
  // Its destructor would join a thread that this process does not have.
  (void)queue.release();
}

void BackgroundJobs::ownThread() {
  if (process == getpid())
    return;
  auto own = std::make_unique<TaskQueue>(1);
  leaveToParent();
  queue = std::move(own);
  process = getpid();
}

Status BackgroundJobs::add(Job job) {
  std::lock_guard lock(mutex);
  ownThread();
  bool taken = queue->add([this, job = std::move(job)] {
    if (!stopping)
      job(stopping);
  });
  if (taken)
    return Status();
  return Status(ErrorCode::OutOfMemory, "no thread can be started");
}

void BackgroundJobs::wait() {
  {
    std::lock_guard lock(mutex);
    ownThread();
  }
  queue->wait();
}
