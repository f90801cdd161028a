//===- Support/OutOfMemory.cpp - Memory that is not there -----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See OutOfMemory.h.
//
//===----------------------------------------------------------------------===//

#include "Support/OutOfMemory.h"
#include "llvm/Support/ErrorHandling.h"
#include <new>
#include <stdexcept>

using namespace nibble;

/// Before any other code of nibble's, which uses LLVM's containers everywhere.
/// The handler is that of nibble's own copy of LLVM.
[[maybe_unused]] static const bool containersThrow = [] {
  llvm::install_bad_alloc_error_handler(
      [](void *, const char *, bool) { throw std::bad_alloc(); });
  return true;
}();

Status nibble::caughtOutOfMemory() {
  try {
    throw;
  } catch (const std::bad_alloc &) {
  } catch (const std::length_error &) { // more than a vector can count
  }
  return outOfMemory();
}
