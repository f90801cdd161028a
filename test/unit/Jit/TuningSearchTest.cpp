//===- TuningSearchTest.cpp - Which configurations are measured -----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Jit/TuningSearch.h"
#include <atomic>
#include <chrono>
#include <gtest/gtest.h>
#include <mutex>
#include <random>
#include <set>
#include <thread>

using namespace nibble;

namespace {

using Times = std::vector<std::optional<CallTime>>;
using Kind = SearchedCandidate::Kind;

CallTime timeOf(double median) { return {median, median, median}; }

/// A search over candidates that take `medians` microseconds, some of which do
/// not compile or cannot be measured.
struct Search {
  explicit Search(std::vector<double> medians)
      : medians(std::move(medians)), known(this->medians.size()) {}

  std::vector<double> medians;
  SearchLimits limits;
  std::set<size_t> uncompilable, unmeasurable;
  Times known;
  size_t cancelAfter = SIZE_MAX;

  std::vector<size_t> measured;
  std::mutex mutex;
  std::multiset<size_t> compiled;

  std::vector<SearchedCandidate> run() {
    auto compile = [&](size_t i) {
      std::lock_guard lock(mutex);
      compiled.insert(i);
      return uncompilable.count(i) ? Status(ErrorCode::Unsupported,
                                            "no code for " + std::to_string(i))
                                   : Status();
    };
    auto measure = [&](size_t i) -> Result<CallTime> {
      measured.push_back(i);
      if (unmeasurable.count(i))
        return Status(ErrorCode::OutOfMemory,
                      "no memory for " + std::to_string(i));
      return timeOf(medians[i]);
    };
    return searchFastest(
        known, limits,
        {compile, measure, [&] { return measured.size() >= cancelAfter; }});
  }
};

std::vector<Kind> kinds(const std::vector<SearchedCandidate> &found) {
  std::vector<Kind> result;
  for (const SearchedCandidate &each : found)
    result.push_back(each.kind);
  return result;
}

TEST(TuningSearch, LooksAtAllWithoutLimits) {
  std::mt19937 random(std::random_device{}());
  std::vector<double> medians;
  for (int i = 0; i < 40; ++i)
    medians.push_back(std::uniform_real_distribution<double>(1, 100)(random));
  Search search(medians);
  search.limits.threads = 3;
  std::vector<SearchedCandidate> found = search.run();
  ASSERT_EQ(found.size(), 40u);
  for (size_t i = 0; i < 40; ++i) {
    EXPECT_EQ(found[i].kind, SearchedCandidate::Measured);
    EXPECT_EQ(found[i].time.median, search.medians[i]);
    EXPECT_EQ(search.measured[i], i) << "not in the order of rank";
    EXPECT_EQ(search.compiled.count(i), 1u);
  }
  EXPECT_TRUE(Search(std::vector<double>()).run().empty());
}

TEST(TuningSearch, StopsWhenMoreCannotPay) {
  // 7.95 is faster than 8, but not by a hundredth.
  Search patient({10, 12, 8, 9, 7.95, 20, 1, 1});
  patient.limits.patience = 3;
  EXPECT_EQ(kinds(patient.run()),
            (std::vector<Kind>{SearchedCandidate::Measured, // 10
                               SearchedCandidate::Measured, // 12
                               SearchedCandidate::Measured, // 8
                               SearchedCandidate::Measured, // 9
                               SearchedCandidate::Measured, // 7.95
                               SearchedCandidate::Measured, // 20: the third
                               SearchedCandidate::Skipped,
                               SearchedCandidate::Skipped}));
  Search near({10, 6.2, 6.1, 5});
  near.limits.floor = 6;
  near.run();
  EXPECT_EQ(near.measured, (std::vector<size_t>{0, 1, 2}));
}

TEST(TuningSearch, FailuresAreSaidAndDoNotCount) {
  Search search({5, 4, 9, 8, 3});
  search.uncompilable = {0, 2};
  search.unmeasurable = {3};
  search.limits.patience = 1;
  std::vector<SearchedCandidate> found = search.run();
  EXPECT_EQ(
      kinds(found),
      (std::vector<Kind>{SearchedCandidate::Failed, SearchedCandidate::Measured,
                         SearchedCandidate::Failed, SearchedCandidate::Failed,
                         SearchedCandidate::Measured}));
  EXPECT_EQ(found[0].status.message(), "no code for 0");
  EXPECT_EQ(found[3].status.message(), "no memory for 3");
  EXPECT_EQ(search.measured, (std::vector<size_t>{1, 3, 4}));
  EXPECT_FALSE(found[0].hasTime());
}

/// The same list again measures nothing; a changed list only what is new.
TEST(TuningSearch, KnownTimesAreNotMeasuredAgain) {
  Search first({10, 12, 8, 9, 9, 9, 1});
  first.limits.patience = 3;
  std::vector<SearchedCandidate> found = first.run();
  ASSERT_EQ(first.measured.size(), 6u);

  Search again(first.medians);
  again.limits = first.limits;
  for (size_t i = 0; i < found.size(); ++i)
    if (found[i].hasTime())
      again.known[i] = found[i].time;
  std::vector<SearchedCandidate> second = again.run();
  EXPECT_TRUE(again.measured.empty());
  EXPECT_TRUE(again.compiled.empty());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(second[i].hasTime(), found[i].hasTime()) << i;
    EXPECT_EQ(second[i].time.median, found[i].time.median) << i;
  }

  Search changed({10, 11, 12, 8});
  changed.known = {timeOf(10), std::nullopt, timeOf(12), timeOf(8)};
  found = changed.run();
  EXPECT_EQ(changed.measured, (std::vector<size_t>{1}));
  EXPECT_EQ(changed.compiled, (std::multiset<size_t>{1}));
  EXPECT_EQ(found[2].kind, SearchedCandidate::Known);
  // A known time counts where the search did not get to it.
  Search stopped({5, 6, 4});
  stopped.limits.patience = 1;
  stopped.known[2] = timeOf(4);
  EXPECT_EQ(stopped.run()[2].kind, SearchedCandidate::Known);
  EXPECT_EQ(stopped.measured.size(), 2u);
}

TEST(TuningSearch, CompilesNoFurtherThanItsThreads) {
  Search search(std::vector<double>(30, 1.0));
  search.limits.threads = 4;
  search.cancelAfter = 10;
  std::vector<SearchedCandidate> found = search.run();
  EXPECT_EQ(search.measured.size(), 10u);
  EXPECT_EQ(found[9].kind, SearchedCandidate::Measured);
  EXPECT_EQ(found[10].kind, SearchedCandidate::Skipped);
  EXPECT_GE(search.compiled.size(), 10u);
  EXPECT_LE(search.compiled.size(), 14u);
}

/// While a candidate is timed, the next is being compiled.
TEST(TuningSearch, CompilesWhileItMeasures) {
  std::atomic<bool> secondBegun = false;
  bool overlapped = false;
  auto compile = [&](size_t i) {
    if (i == 1)
      secondBegun = true;
    return Status();
  };
  auto measure = [&](size_t i) -> Result<CallTime> {
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (i == 0 && !secondBegun && std::chrono::steady_clock::now() < end)
      std::this_thread::yield();
    overlapped |= i == 0 && secondBegun;
    return timeOf(1);
  };
  searchFastest(Times(2), {}, {compile, measure, [] { return false; }});
  EXPECT_TRUE(overlapped);
}

} // namespace
