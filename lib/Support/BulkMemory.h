//===- Support/BulkMemory.h - Memory for a layer's weights ----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tens of megabytes that are filled once, at the speed of memory. Of an
// ordinary vector most of the time goes into making it: the system gives 4 KB
// at a time, on the first touch and cleared, and the vector clears all of it
// again before anything is copied there.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_SUPPORT_BULKMEMORY_H
#define NIBBLE_SUPPORT_BULKMEMORY_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

namespace nibble {

/// Memory in huge pages (2 MB), the last at least half used, where the system
/// has them. Throws as operator new does.
void *allocateBulk(size_t bytes);
/// Gives back what allocateBulk(bytes) gave.
void freeBulk(void *memory, size_t bytes);

/// allocateBulk() for containers. Elements that are made without a value have
/// any.
template <typename T> struct BulkAllocator {
  static_assert(std::is_trivial_v<T>);
  using value_type = T;

  BulkAllocator() = default;
  template <typename U> BulkAllocator(const BulkAllocator<U> &) {}

  T *allocate(size_t count) {
    return static_cast<T *>(allocateBulk(count * sizeof(T)));
  }
  void deallocate(T *memory, size_t count) {
    freeBulk(memory, count * sizeof(T));
  }
  template <typename U> void construct(U *) {}
  template <typename U, typename... ArgTs>
  void construct(U *place, ArgTs &&...args) {
    ::new (static_cast<void *>(place)) U(std::forward<ArgTs>(args)...);
  }
  bool operator==(const BulkAllocator &) const = default;
};

/// A vector of numbers of which resize() and BulkVector(count) leave new ones
/// as they are: with any value, to be written before they are read.
template <typename T> using BulkVector = std::vector<T, BulkAllocator<T>>;

/// Calls `fill` for ranges that make up [0, count), to write `bytes` bytes for
/// each number, on several threads if it is worth it: a thread alone neither
/// saturates memory nor has the system give pages as fast as it can. Returns
/// when all are done.
void fillBulk(size_t count, size_t bytes,
              llvm::function_ref<void(size_t begin, size_t end)> fill);

/// Copies `bytes` bytes by fillBulk().
void copyBulk(void *to, const void *from, size_t bytes);

} // namespace nibble

#endif // NIBBLE_SUPPORT_BULKMEMORY_H
