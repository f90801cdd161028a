//===- Support/OutOfMemory.h - Memory that is not there -------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// nibble throws nothing, and the standard library throws where memory ends.
// What allocates by sizes that a caller or a file gives runs in here.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_SUPPORT_OUTOFMEMORY_H
#define NIBBLE_SUPPORT_OUTOFMEMORY_H

#include "nibble/Status.h"
#include <new>
#include <stdexcept>

namespace nibble {

/// What `work` returns, a Status or Result; OutOfMemory if its memory is not to
/// be had.
template <typename WorkT>
auto catchOutOfMemory(WorkT work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::bad_alloc &) {
  } catch (const std::length_error &) { // more than a vector can count
  }
  return Status(ErrorCode::OutOfMemory, "host memory ran out");
}

} // namespace nibble

#endif // NIBBLE_SUPPORT_OUTOFMEMORY_H
