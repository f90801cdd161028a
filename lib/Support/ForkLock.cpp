//===- Support/ForkLock.cpp - Locks in processes that fork ----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See ForkLock.h.
//
//===----------------------------------------------------------------------===//

#include "Support/ForkLock.h"
#include <pthread.h>
#include <vector>

using namespace nibble;

namespace {
struct Locks {
  std::mutex mutex; // of the list
  std::vector<std::mutex *> list;

  void lock() {
    mutex.lock();
    for (std::mutex *each : list)
      each->lock();
  }
  void unlock() {
    for (std::mutex *each : list)
      each->unlock();
    mutex.unlock();
  }
};
} // namespace

/// Never destroyed: a process may fork while it ends.
static Locks &locks() {
  static Locks *all = [] {
    static Locks *made = new Locks;
    pthread_atfork([] { made->lock(); }, [] { made->unlock(); },
                   [] { made->unlock(); });
    return made;
  }();
  return *all;
}

void nibble::holdWhileForking(std::mutex &mutex) {
  std::lock_guard lock(locks().mutex);
  locks().list.push_back(&mutex);
}
