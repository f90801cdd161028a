//===- Support/OutOfMemory.h - Memory that is not there -------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// nibble throws nothing, and the standard library throws where memory ends.
// Within nibble that exception is let through: whoever is in the midst of
// something undoes it by destructors. It is caught in these places alone:
//
//   calls of include/nibble    every one that gives a Status is
//                                Status f() try { ... } catch (...) {
//                                  return caughtOutOfMemory();
//                                }
//   threads                    a thread of nibble's catches what its work
//                              throws; ThreadPool throws it again where the
//                              work was given, the others keep a Status
//   destructors, and state     that an exception would leave half made, as
//                              around LLVM's code, which undoes nothing
//
// LLVM's containers, too, throw where they would end the process.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_SUPPORT_OUTOFMEMORY_H
#define NIBBLE_SUPPORT_OUTOFMEMORY_H

#include "nibble/Status.h"

namespace nibble {

/// What every call says that memory ended in. It takes none itself: strings of
/// 15 bytes lie in their own object.
inline Status outOfMemory() {
  return Status(ErrorCode::OutOfMemory, "no host memory");
}

/// Called where an exception is caught: outOfMemory() if the standard library
/// threw it for want of memory. Throws any other again, such as that of a
/// function that the host gave.
Status caughtOutOfMemory();

/// What `work` returns, a Status or Result; outOfMemory() if its memory is not
/// to be had.
template <typename WorkT>
auto catchOutOfMemory(WorkT &&work) -> decltype(work()) {
  try {
    return work();
  } catch (...) {
    return caughtOutOfMemory();
  }
}

} // namespace nibble

#endif // NIBBLE_SUPPORT_OUTOFMEMORY_H
