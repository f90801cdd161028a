//===- Support/BulkMemory.cpp - Memory for a layer's weights --------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See BulkMemory.h.
//
//===----------------------------------------------------------------------===//

#include "Support/BulkMemory.h"
#include "Support/Processors.h"
#include "Support/ThreadPool.h"
#include <algorithm>
#include <cstring>
#include <new>
#include <sys/mman.h>

using namespace nibble;

/// Of x86-64.
static constexpr size_t hugePage = size_t(1) << 21;

/// The least that a thread fills, some hundred microseconds: starting and
/// ending one takes some ten.
static constexpr size_t threadBytes = 2 * hugePage;

/// More threads than that find memory busy.
static constexpr size_t maxThreads = 8;

/// The huge pages for `bytes` bytes. The last may stay half empty, or as much
/// may lie behind it in small ones.
static size_t hugePages(size_t bytes) {
  return bytes / hugePage + (bytes % hugePage >= hugePage / 2);
}

void *nibble::allocateBulk(size_t bytes) {
  size_t huge = hugePages(bytes) * hugePage;
  if (!huge)
    return ::operator new(bytes);
  void *memory =
      ::operator new(std::max(bytes, huge), std::align_val_t(hugePage));
  // A wish: without huge pages the memory is as good, and slower.
  ::madvise(memory, huge, MADV_HUGEPAGE);
  return memory;
}

void nibble::freeBulk(void *memory, size_t bytes) {
  if (!hugePages(bytes))
    ::operator delete(memory);
  else
    ::operator delete(memory, std::align_val_t(hugePage));
}

void nibble::fillBulk(size_t count, size_t bytes,
                      llvm::function_ref<void(size_t begin, size_t end)> fill) {
  size_t threads = std::min(count * bytes / threadBytes, maxThreads);
  if (threads > 1)
    threads = std::min<size_t>(threads, computeThreads(/*cores=*/false));
  if (threads <= 1) {
    if (count)
      fill(0, count);
    return;
  }
  // About a page, which the thread that writes it has cleared as well.
  size_t step = std::max<size_t>(1, hugePage / bytes);
  // Of its own, because the process's has a thread for each processor, and on a
  // big machine starting these takes longer than all of the work.
  ThreadPool pool(static_cast<unsigned>(threads));
  pool.run(static_cast<int64_t>((count + step - 1) / step),
           [&](int64_t first, int64_t end) {
             fill(static_cast<size_t>(first) * step,
                  std::min(static_cast<size_t>(end) * step, count));
           });
}

void nibble::copyBulk(void *to, const void *from, size_t bytes) {
  fillBulk(bytes, 1, [&](size_t begin, size_t end) {
    std::memcpy(static_cast<char *>(to) + begin,
                static_cast<const char *>(from) + begin, end - begin);
  });
}
