//===- BulkMemoryTest.cpp - Every byte once -------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Support/BulkMemory.h"
#include "Support/OutOfMemory.h"
#include <cstdint>
#include <gtest/gtest.h>
#include <mutex>
#include <numeric>
#include <random>
#include <sys/mman.h>
#include <unistd.h>

using namespace nibble;

namespace {

constexpr size_t MB = size_t(1) << 20;

/// Around the sizes from which pages are huge and threads are several.
constexpr size_t sizes[] = {0,          1,      2 * MB - 1,  2 * MB,
                            4 * MB + 4, 8 * MB, 8 * MB - 12, 37 * MB + 5};

TEST(BulkMemory, RangesMakeUpTheWhole) {
  for (size_t count : sizes)
    for (size_t bytes : {size_t(1), size_t(12), 3 * MB}) {
      count /= bytes;
      std::mutex mutex;
      std::vector<std::pair<size_t, size_t>> ranges;
      fillBulk(count, bytes, [&](size_t begin, size_t end) {
        std::lock_guard lock(mutex);
        ranges.emplace_back(begin, end);
      });
      std::sort(ranges.begin(), ranges.end());
      size_t at = 0;
      for (auto [begin, end] : ranges) {
        EXPECT_EQ(begin, at);
        EXPECT_GT(end, begin);
        at = end;
      }
      EXPECT_EQ(at, count);
    }
}

TEST(BulkMemory, CopiesAtAnyAlignmentAndNothingElse) {
  std::mt19937_64 random(std::random_device{}());
  std::vector<uint8_t> from(38 * MB);
  for (size_t i = 0; i + 8 <= from.size(); i += 8)
    *reinterpret_cast<uint64_t *>(&from[i]) = random();
  BulkVector<uint8_t> to(from.size());
  for (size_t bytes : sizes) {
    size_t place = 1 + random() % 60, source = random() % 60;
    std::fill(to.begin(), to.end(), uint8_t(0xa5));
    copyBulk(&to[place], &from[source], bytes);
    EXPECT_TRUE(std::equal(&to[place], &to[place + bytes], &from[source]));
    EXPECT_EQ(std::count(to.begin(), to.begin() + place, 0xa5), place);
    EXPECT_EQ(std::count(to.begin() + place + bytes, to.end(), 0xa5),
              to.size() - place - bytes);
  }
}

TEST(BulkMemory, VectorsAreVectors) {
  for (size_t count :
       {size_t(3), MB / 4 - 1, MB / 4, MB / 2 - 1, MB / 2, MB + 7}) {
    BulkVector<int32_t> numbers(count, 5);
    EXPECT_EQ(std::count(numbers.begin(), numbers.end(), 5), count);
    std::iota(numbers.begin(), numbers.end(), 0);
    BulkVector<int32_t> copy = numbers;
    numbers.push_back(-1); // moves to other memory
    numbers.resize(2 * count);
    EXPECT_TRUE(std::equal(copy.begin(), copy.end(), numbers.begin()));
    EXPECT_EQ(numbers[count], -1);
    const int32_t *place = copy.data();
    numbers = std::move(copy);
    EXPECT_EQ(numbers.data(), place);
    numbers.assign(count, 0);
    EXPECT_EQ(std::count(numbers.begin(), numbers.end(), 0), count);
  }
}

// Sanitizers write into new memory, and end a process that asks so much.
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
/// What makes it fast: nothing is written before its content is.
TEST(BulkMemory, IsNotTouchedBeforeItIsFilled) {
  BulkVector<uint8_t> memory;
  memory.resize(64 * MB); // more than malloc keeps
  EXPECT_EQ(reinterpret_cast<uintptr_t>(memory.data()) % (2 * MB), 0u);
  auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> resident(memory.size() / page);
  ASSERT_EQ(::mincore(memory.data(), memory.size(), resident.data()), 0);
  EXPECT_EQ(std::count(resident.begin(), resident.end(), 0), resident.size());
}

TEST(BulkMemory, RunsOut) {
  for (size_t count : {SIZE_MAX / 4, SIZE_MAX / 16}) {
    BulkVector<int32_t> numbers;
    Status status = catchOutOfMemory([&] {
      numbers.resize(count);
      return Status();
    });
    EXPECT_EQ(status.code(), ErrorCode::OutOfMemory);
  }
}
#endif

} // namespace
