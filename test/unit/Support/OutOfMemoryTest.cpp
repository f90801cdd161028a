//===- OutOfMemoryTest.cpp - Exceptions for want of memory ----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What calls do without memory is tested in API/OutOfMemoryTest.cpp.
//
//===----------------------------------------------------------------------===//

#include "Support/OutOfMemory.h"
#include "../API/Refused.h"
#include "llvm/Support/ErrorHandling.h"
#include <new>
#include <stdexcept>
#include <vector>

using namespace nibble;

namespace {

template <typename ErrorT> Status caught(const ErrorT &error) {
  return catchOutOfMemory([&]() -> Status { throw error; });
}

TEST(OutOfMemory, IsAStatus) {
  EXPECT_REFUSED(caught(std::bad_alloc()), OutOfMemory, "no host memory");
  EXPECT_REFUSED(caught(std::length_error("")), OutOfMemory, "no host memory");
  size_t more = std::vector<int>().max_size() + 1;
  EXPECT_REFUSED(catchOutOfMemory([&] {
                   return Result<std::vector<int>>(std::vector<int>(more));
                 }).status(),
                 OutOfMemory, "no host memory");
  EXPECT_TRUE(catchOutOfMemory([] { return Status(); }).ok());
}

TEST(OutOfMemory, OthersAreTheirThrowers) {
  EXPECT_THROW((void)caught(std::runtime_error("")), std::runtime_error);
  EXPECT_THROW((void)caught(7), int);
}

/// LLVM's containers end a process where malloc() fails, unless told otherwise.
TEST(OutOfMemory, OfLlvmIsOneToo) {
  EXPECT_REFUSED(catchOutOfMemory([]() -> Status {
                   llvm::report_bad_alloc_error("a test's");
                   return Status();
                 }),
                 OutOfMemory, "no host memory");
}

/// The message lies within its object.
TEST(OutOfMemory, TakesNoMemory) {
  Status status = outOfMemory();
  const char *text = status.message().data();
  auto begin = reinterpret_cast<const char *>(&status);
  EXPECT_TRUE(text >= begin && text < begin + sizeof(status));
}

} // namespace
