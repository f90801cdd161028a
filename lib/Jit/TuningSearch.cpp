//===- Jit/TuningSearch.cpp - Which configurations to measure -------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See TuningSearch.h.
//
//===----------------------------------------------------------------------===//

#include "Jit/TuningSearch.h"
#include "Support/OutOfMemory.h"
#include "Support/TaskQueue.h"
#include <algorithm>
#include <limits>
#include <mutex>

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

  // Who comes first compiles a candidate: a thread ahead of this one, or this
  // one where none came to it or none can be started.
  struct Compilation {
    std::once_flag once;
    Status status;
  };
  std::vector<Compilation> compilations(known.size());
  auto compile = [&](size_t i) -> const Status & {
    Compilation &each = compilations[i];
    std::call_once(each.once, [&] {
      each.status = catchOutOfMemory([&] { return steps.compile(i); });
    });
    return each.status;
  };
  // It waits for its threads when it goes.
  TaskQueue ahead(limits.threads);
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
      ahead.add([&compile, next = unknown[begun]] { compile(next); });
    Status status = compile(i);
    if (status.ok()) {
      Result<CallTime> time =
          catchOutOfMemory([&] { return steps.measure(i); });
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
