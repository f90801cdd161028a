//===- API/Prepare.cpp - Kernels before their first call ------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// QuantLinear::prepare and prepareAll.
//
//===----------------------------------------------------------------------===//

#include "API/State.h"
#include "Support/ThreadPool.h"
#include "llvm/ADT/STLExtras.h"

using namespace nibble;

Result<const CompiledKernel *> QuantLinear::prepare(DType type,
                                                    int64_t rows) const try {
  if (!state)
    return State::holdsNothing();
  Result<const LoadedKernel *> kernel = state->kernelForDense(type, rows);
  if (!kernel.ok())
    return kernel.status();
  Result<State::CallKernels> kernels =
      state->kernelsOf(**kernel, type, rows, state->denseIsAligned(type),
                       /*strided=*/false);
  if (!kernels.ok())
    return kernels.status();
  return &(*kernel)->compiled();
} catch (...) {
  return caughtOutOfMemory();
}

Status QuantLinear::prepareAll(
    const std::vector<DType> &types, const std::vector<int64_t> &rowCounts,
    const std::function<void(const Prepared &)> &progress) const try {
  if (!state)
    return State::holdsNothing();
  std::vector<std::pair<DType, int64_t>> calls;
  std::vector<CallKind> kinds;
  for (DType type : types)
    for (int64_t rows : rowCounts) {
      if (Status status = State::checkCall(type, rows); !status.ok())
        return status;
      CallKind kind = state->kindOf(type, rows, /*aligned=*/false);
      if (llvm::is_contained(kinds, kind))
        continue;
      kinds.push_back(kind);
      calls.push_back({type, rows});
    }
  std::mutex mutex;
  size_t done = 0;
  Status failed;
  auto prepareOne = [&](DType type, int64_t rows, State::Search tuned) {
    Result<const CompiledKernel *> kernel = prepare(type, rows);
    std::lock_guard lock(mutex);
    if (!kernel.ok())
      failed = kernel.status();
    else if (++done, progress)
      progress({type, rows, done, calls.size(), *kernel,
                std::move(tuned.candidates), tuned.measured});
  };
  if (state->tuning == TuningPolicy::Heuristic || !state->isTunable()) {
    ThreadPool::shared().run(
        static_cast<int64_t>(calls.size()), [&](int64_t first, int64_t end) {
          for (int64_t i = first; i < end; ++i)
            prepareOne(calls[i].first, calls[i].second, {});
        });
    return failed;
  }
  // One after the other; each search compiles on all processors.
  for (auto [type, rows] : calls) {
    Result<State::Search> found =
        state->tuneOnce(type, rows, [] { return false; });
    if (!found.ok())
      return found.status();
    prepareOne(type, rows, std::move(*found));
    if (!failed.ok())
      return failed;
  }
  return Status();
} catch (...) {
  return caughtOutOfMemory();
}
