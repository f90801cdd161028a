//===- Support/ForkLock.h - Locks in processes that fork --------*- C++ -*-===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A forked process has the one thread that forked. What another thread had
// locked is locked there for ever.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_SUPPORT_FORKLOCK_H
#define NIBBLE_SUPPORT_FORKLOCK_H

#include <mutex>

namespace nibble {

/// Lets forks wait while `mutex` is held, from now on. It must live as long as
/// the process, and be held by nobody who takes another such one.
void holdWhileForking(std::mutex &mutex);

} // namespace nibble

#endif // NIBBLE_SUPPORT_FORKLOCK_H
