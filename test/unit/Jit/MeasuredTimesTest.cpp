//===- MeasuredTimesTest.cpp - Times of many writers ----------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Jit/MeasuredTimes.h"
#include "../CommaLocale.h"
#include "../TestFolder.h"
#include "Jit/KernelFile.h"
#include "Support/Digest.h"
#include "Support/Files.h"
#include "nibble/JitKernel.h"
#include <gtest/gtest.h>
#include <thread>
#include <unistd.h>

using namespace nibble;
using namespace nibble::test;

namespace {

/// A cache in which a problem has six parts, each with a time of its own and,
/// for A=1, one that is its number.
struct SixParts {
  TestFolder folder;
  DiskCache cache = DiskCache(folder.path(), 1 << 20);
  TuningKey key = {"test", digestOf({"parts"}), "call", "sm_90a"};

  SixParts() {
    for (int i = 0; i < 6; ++i)
      addTimes(
          cache, key,
          {{"B=" + std::to_string(i), {7, 6, 8}}, {"A=1", {double(i), 0, 9}}});
    EXPECT_EQ(cache.list().size(), 6u);
    EXPECT_EQ(times().size(), 7u);
  }
  MeasuredTimes times() { return findTimes(cache, key.problem); }
  std::string pathOf(int part) const {
    return cache.path() + "/" +
           (part ? digestOf({key.problem, "part", std::to_string(part)})
                 : key.problem) +
           ".entry";
  }
  void change(int part) const {
    std::string bytes = *readFile(pathOf(part));
    bytes.back() ^= 1;
    ASSERT_TRUE(writeFile(pathOf(part), {bytes}).ok());
  }
  void remove(int part) const { ASSERT_EQ(unlink(pathOf(part).c_str()), 0); }
};

TEST(MeasuredTimes, NobodysAreLost) {
  TestFolder folder;
  TuningKey key = {"test", digestOf({"problem"}), "call", "sm_90a"};
  const std::string &problem = key.problem;
  constexpr int writers = 8, each = 12;
  std::vector<std::thread> threads;
  for (int w = 0; w < writers; ++w)
    threads.emplace_back([&, w] {
      DiskCache cache(folder.path(), 1 << 20); // as another process has one
      for (int i = 0; i < each; ++i)
        addTimes(cache, key,
                 {{"WRITER=" + std::to_string(w) + " I=" + std::to_string(i),
                   {1.5 * w + i, 1, 2}}});
    });
  for (std::thread &thread : threads)
    thread.join();
  DiskCache cache(folder.path(), 1 << 20);
  MeasuredTimes times = findTimes(cache, problem);
  EXPECT_EQ(times.size(), size_t(writers * each));
  for (int w = 0; w < writers; ++w)
    for (int i = 0; i < each; ++i)
      EXPECT_EQ(times["WRITER=" + std::to_string(w) + " I=" + std::to_string(i)]
                    .median,
                1.5 * w + i);
  addTimes(cache, key, {{"WRITER=0 I=0", {7, 6, 8}}});
  times = findTimes(cache, problem);
  EXPECT_EQ(times.size(), size_t(writers * each));
  EXPECT_EQ(times["WRITER=0 I=0"].p90, 8);
  EXPECT_TRUE(findTimes(cache, digestOf({"another"})).empty());

  // Shipped with an application, and measured anew there.
  std::string path = folder / "times.nbl";
  ASSERT_TRUE(writeKernelFile(path, {{problem, timesEntry(key, times)}}).ok());
  ASSERT_TRUE(loadKernels(path).ok());
  DiskCache there(folder / "there", 1 << 20);
  EXPECT_EQ(findTimes(there, problem).size(), size_t(writers * each));
  addTimes(there, key, {{"WRITER=0 I=0", {9, 9, 9}}});
  times = findTimes(there, problem);
  EXPECT_EQ(times.size(), size_t(writers * each));
  EXPECT_EQ(times["WRITER=0 I=0"].median, 9);
  EXPECT_EQ(times["WRITER=1 I=0"].median, 1.5);
}

/// Processes of any locale share a cache.
TEST(MeasuredTimes, DoNotDependOnTheHostsLocale) {
  TestFolder folder;
  DiskCache cache(folder.path(), 1 << 20);
  TuningKey key = {"test", digestOf({"locale"}), "call", "sm_90a"};
  addTimes(cache, key, {{"A=1", {7.25, 6.5, 8}}});
  {
    CommaLocale german;
    addTimes(cache, key, {{"B=1", {3.125, 3, 4.5}}});
    EXPECT_EQ(findTimes(cache, key.problem)["A=1"].median, 7.25);
  }
  MeasuredTimes times = findTimes(cache, key.problem);
  EXPECT_EQ(times.size(), 2u);
  EXPECT_EQ(times["B=1"].median, 3.125);
}

TEST(MeasuredTimes, ThoseThatAreKnownAreNotWritten) {
  SixParts six;
  addTimes(six.cache, six.key, {{"B=0", {7, 6, 8}}, {"A=1", {5, 0, 9}}});
  addTimes(six.cache, six.key, {});
  EXPECT_EQ(six.cache.list().size(), 6u);
  addTimes(six.cache, six.key, {{"B=0", {7, 6, 8}}, {"A=1", {4, 0, 9}}});
  EXPECT_EQ(six.cache.list().size(), 7u);
  EXPECT_EQ(six.times()["A=1"].median, 4);
}

TEST(MeasuredTimes, LaterPartsHaveMoreWeight) {
  SixParts six;
  EXPECT_EQ(six.times()["A=1"].median, 5);
  six.remove(5);
  EXPECT_EQ(six.times()["A=1"].median, 4);
}

TEST(MeasuredTimes, AChangedPartTakesItsOwnAlong) {
  for (int part : {0, 2, 5}) {
    SixParts six;
    six.change(part);
    testing::internal::CaptureStderr();
    EXPECT_EQ(six.times().size(), 6u);
    std::string said = testing::internal::GetCapturedStderr();
    EXPECT_NE(said.find(six.pathOf(part)), std::string::npos) << said;
    // It was set aside, and is missing from now on.
    EXPECT_EQ(six.times().size(), 6u);
    addTimes(six.cache, six.key, {{"A=1", {3, 0, 9}}});
    EXPECT_EQ(six.times()["A=1"].median, 3);
    EXPECT_EQ(six.times().size(), 6u);
  }
}

TEST(MeasuredTimes, FourNumbersWithoutAPartAreTheEnd) {
  SixParts six;
  for (int part : {0, 1, 2})
    six.remove(part);
  EXPECT_EQ(six.times().size(), 4u);
  six.remove(3);
  EXPECT_TRUE(six.times().empty());
  // Those behind come back: B=4, B=5, A=1.
  addTimes(six.cache, six.key, {{"C=1", {7, 6, 8}}});
  EXPECT_EQ(six.times().size(), 4u);
}

TEST(MeasuredTimes, APartThatCannotBeReadStaysAndHidesNone) {
  SixParts six;
  std::string path = six.pathOf(2), aside = six.folder / "aside";
  ASSERT_EQ(rename(path.c_str(), aside.c_str()), 0);
  ASSERT_EQ(symlink(path.c_str(), path.c_str()), 0); // a loop
  EXPECT_EQ(six.times().size(), 6u);
  addTimes(six.cache, six.key, {{"C=1", {7, 6, 8}}});
  EXPECT_EQ(six.times().size(), 7u);
  ASSERT_EQ(rename(aside.c_str(), path.c_str()), 0);
  EXPECT_EQ(six.times().size(), 8u);
}

} // namespace
