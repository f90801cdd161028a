//===- Jit/TuningSearch.cpp - Which configurations to measure -------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See TuningSearch.h.
//
//===----------------------------------------------------------------------===//

#include "Jit/TuningSearch.h"
#include "llvm/Support/ThreadPool.h"
#include <algorithm>
#include <limits>

using namespace nibble;

namespace {
/// The rule of when more cannot pay.
class StopRule {
public:
  explicit StopRule(const SearchLimits &limits) : limits(limits) {}

  void add(const CallTime &time) {
    barren = time.median < 0.99 * best ? 0 : barren + 1;
    best = std::min(best, time.median);
  }
  bool isMet() const {
    return best <= 1.03 * limits.floor ||
           (limits.patience && barren >= limits.patience);
  }

private:
  const SearchLimits &limits;
  double best = std::numeric_limits<double>::infinity();
  size_t barren = 0;
};
} // namespace

std::vector<SearchedCandidate>
nibble::searchFastest(llvm::ArrayRef<std::optional<CallTime>> known,
                      const SearchLimits &limits, const SearchSteps &steps) {
  std::vector<SearchedCandidate> found(known.size());
  std::vector<size_t> unknown;
  for (size_t i = 0; i < known.size(); ++i)
    if (known[i])
      found[i] = {SearchedCandidate::Known, *known[i], Status()};
    else
      unknown.push_back(i);

  // Its threads start with the first task, and it waits for them when it goes.
  llvm::DefaultThreadPool pool(llvm::hardware_concurrency(limits.threads));
  std::vector<std::shared_future<Status>> compiled(known.size());
  size_t begun = 0, looked = 0; // of the unknown ones
  StopRule rule(limits);
  for (size_t i = 0; i < known.size(); ++i) {
    if (rule.isMet() || steps.cancelled())
      break;
    if (known[i]) {
      rule.add(*known[i]);
      continue;
    }
    // Each thread has one to compile while this thread measures.
    ++looked;
    for (; begun < std::min(looked + limits.threads, unknown.size()); ++begun)
      compiled[unknown[begun]] = pool.async(
          [&steps, next = unknown[begun]] { return steps.compile(next); });
    Status status = compiled[i].get();
    if (status.ok()) {
      Result<CallTime> time = steps.measure(i);
      status = time.status();
      if (time.ok()) {
        found[i] = {SearchedCandidate::Measured, *time, Status()};
        rule.add(*time);
      }
    }
    if (!status.ok())
      found[i] = {SearchedCandidate::Failed, {}, status};
  }
  return found;
}
