//===- Target/Guard.h - LLVM's fatal errors as values ---------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// LLVM ends the process on some errors ("LLVM ERROR: Cannot select"). A host
// must survive them. The guard runs a piece of work on a thread of its own and
// leaves that thread by a long jump if LLVM reports a fatal error, or by an
// exception if memory ends. What the work had allocated by then is lost, and
// what it was building must not be looked at again: LLVM's code does not clean
// up behind an exception either.
//
// The handler is that of nibble's own copy of LLVM: another LLVM in the process
// keeps its own.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TARGET_GUARD_H
#define NIBBLE_TARGET_GUARD_H

#include "nibble/Status.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace nibble {

/// Runs `work` on a new thread and waits for it. Returns what `work` returns,
/// an Internal error with LLVM's message if LLVM gave up, or OutOfMemory if
/// memory ended or no thread can be started.
Status runGuarded(llvm::function_ref<Status()> work);

} // namespace nibble

#endif // NIBBLE_TARGET_GUARD_H
