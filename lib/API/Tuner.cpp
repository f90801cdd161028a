//===- API/Tuner.cpp - Choosing kernels by measuring ----------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// QuantLinear::tune, and what layers do about calls of which nothing is known.
// Jit/TuningSearch.h decides what is measured, ColdCalls.h measures, and
// TunedTable.h keeps what was found.
//
//===----------------------------------------------------------------------===//

#include "API/ColdCalls.h"
#include "API/Floor.h"
#include "API/TunedTable.h"
#include "API/TuningPolicy.h"
#include "Driver/Stream.h"
#include "Jit/BackgroundJobs.h"
#include "Jit/KernelCache.h"
#include "Jit/TuningSearch.h"
#include "Support/Digest.h"
#include "Support/Environment.h"
#include "Support/Processors.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <limits>

using namespace nibble;

//===----------------------------------------------------------------------===//
// What is known
//===----------------------------------------------------------------------===//

bool QuantLinear::State::isTunable() const {
  return device && !batchInvariant && overrides == noOverrides();
}

TuningKey QuantLinear::State::tuningKey(DType type, int64_t rows) const {
  std::string call = tuningCall(layer, schedule, type, rows);
  std::string name = device->properties().name + " " + call;
  return {name,
          digestOf({"nibble times 3", compilerBuild(), device->driver().build(),
                    name}),
          call, target};
}

std::optional<KernelConfig> QuantLinear::State::tuned(DType type,
                                                      int64_t rows) const {
  if (!isTunable())
    return std::nullopt;
  return TunedTable::shared().find(tuningKey(type, rows));
}

Status nibble::saveTuning(const std::string &path) try {
  return TunedTable::shared().save(path);
} catch (...) {
  return caughtOutOfMemory();
}

//===----------------------------------------------------------------------===//
// Searching
//===----------------------------------------------------------------------===//

/// What NIBBLE_PRINT_TUNING asks for.
static void printTuning(const std::string &name,
                        llvm::ArrayRef<Candidate> candidates) {
  std::string text = "tuned " + name;
  llvm::raw_string_ostream out(text);
  for (const Candidate &each : candidates)
    if (each.status.ok())
      out << "\n  " << llvm::format("%9.2f us  ", each.time.median)
          << each.config;
    else
      out << "\n          -     " << each.config << ": "
          << each.status.message();
  writeLogLine(text);
}

/// Held while something is measured: two measurements at a time disturb each
/// other, and the second may find its answer in the first.
static std::mutex &measuring() {
  static auto *mutex = new std::mutex;
  return *mutex;
}

Result<QuantLinear::State::Search> QuantLinear::State::search(
    DType type, int64_t rows, llvm::ArrayRef<KernelConfig> configs,
    const MeasuredTimes &times, const SearchLimits &limits,
    llvm::function_ref<bool()> cancelled) {
  // Another thread's stream may be captured meanwhile.
  driver::RelaxedCaptureGuard relaxed(*device);
  CallKind kind = kindOf(type, rows, denseIsAligned(type));
  std::vector<std::string> words;
  std::vector<std::optional<CallTime>> known;
  for (const KernelConfig &config : configs) {
    words.push_back(overrideWords(config));
    auto found = times.find(words.back());
    known.push_back(found == times.end() ? std::nullopt
                                         : std::optional(found->second));
  }
  std::vector<std::shared_ptr<const LoadedKernel>> kernels(configs.size());
  auto compile = [&](size_t i) {
    auto loaded = load(kind, configs[i], Keep::WhileHeld);
    if (loaded.ok())
      kernels[i] = *loaded;
    return loaded.status();
  };
  // Copies of the weights in the order that a candidate reads.
  std::optional<ColdCalls> calls[2];
  auto measure = [&](size_t i) -> Result<CallTime> {
    bool packed = kernels[i]->readsPacked();
    if (!calls[packed]) {
      // One order's copies at a time.
      calls[!packed].reset();
      Result<ColdCalls> made = ColdCalls::make(*this, type, rows, packed);
      if (!made.ok())
        return made.status();
      calls[packed].emplace(std::move(*made));
    }
    return calls[packed]->time(*kernels[i]);
  };
  std::vector<SearchedCandidate> found =
      searchFastest(known, limits, {compile, measure, cancelled});

  constexpr double never = std::numeric_limits<double>::infinity();
  Search result;
  std::vector<size_t> order;
  MeasuredTimes measured;
  for (size_t i = 0; i < found.size(); ++i) {
    if (found[i].kind == SearchedCandidate::Skipped)
      continue;
    order.push_back(i);
    if (!found[i].hasTime())
      found[i].time = {never, never, never};
    if (found[i].kind == SearchedCandidate::Measured)
      measured[words[i]] = found[i].time;
  }
  // Of equal times the one that bestConfig() takes of them in other processes.
  llvm::sort(order, [&](size_t a, size_t b) {
    return std::tie(found[a].time.median, words[a]) <
           std::tie(found[b].time.median, words[b]);
  });
  for (size_t i : order)
    result.candidates.push_back(
        {requestFor(kind, configs[i]).config, found[i].time, found[i].status});
  result.measured = measured.size();
  TuningKey key = tuningKey(type, rows);
  if (!measured.empty())
    TunedTable::shared().add(key, measured);
  if (result.measured && environment().printsTuning)
    printTuning(key.name, result.candidates);
  if (order.empty())
    return result;
  if (!found[order[0]].hasTime())
    return found[order[0]].status.withContext(
        "no configuration runs; the first");
  result.best = configs[order[0]];
  // Calls to come run it; the others go.
  std::lock_guard lock(mutex);
  if (kernels[order[0]])
    hold(kernels[order[0]]);
  return result;
}

Result<QuantLinear::State::Search>
QuantLinear::State::tuneOnce(DType type, int64_t rows,
                             llvm::function_ref<bool()> cancelled) {
  TunedTable &table = TunedTable::shared();
  TuningKey key = tuningKey(type, rows);
  std::lock_guard lock(measuring());
  const driver::DeviceProperties &properties = device->properties();
  // At all points of bench/results/2026-11-24-h100-tuning.json the fastest
  // comes before five in a row that gain nothing.
  SearchLimits limits;
  limits.patience = 6;
  limits.threads = computeThreads(/*cores=*/false);
  if (double peak = peakRate(properties); peak > 0)
    limits.floor = memoryFloor(callBytes(layer, rows, type), peak);
  Result<Search> found = search(
      type, rows, tuningConfigs(layer, rows, weights.arePacked(), properties),
      table.times(key), limits,
      [&] { return table.isSearched(key) || cancelled(); });
  if (!found.ok() || cancelled())
    return found;
  if (!table.isSearched(key) && found->best)
    table.choose(key, *found->best);
  table.setSearched(key);
  if (Status status = replaceKernels(type, rows); !status.ok())
    return status;
  return found;
}

/// The process's thread for tuning in the background. The threads of a process
/// that exits go before the driver does.
static BackgroundJobs &backgroundJobs() {
  static BackgroundJobs jobs;
  return jobs;
}

void QuantLinear::State::tuneInBackground(DType type, int64_t rows) {
  auto complain = [](const Status &status) {
    if (!status.ok())
      log(LogLevel::Warning, "tuning in the background: " + status.message());
  };
  complain(backgroundJobs().add(
      [=, weak = weak_from_this()](const std::atomic<bool> &stopping) {
        // Null if the layer is gone.
        if (std::shared_ptr<State> state = weak.lock())
          complain(catchOutOfMemory([&] {
            return state->tuneOnce(type, rows, [&] { return stopping.load(); })
                .status();
          }));
      }));
}

//===----------------------------------------------------------------------===//
// What calls run
//===----------------------------------------------------------------------===//

Result<std::shared_ptr<const LoadedKernel>>
QuantLinear::State::load(CallKind kind, const KernelConfig &chosen,
                         Keep keep) const {
  auto loaded = findOrCompile(requestFor(kind, chosen), device, keep);
  if (loaded.ok() && device && !(*loaded)->readsPacked())
    if (Status status = weights.bringCheckpointOrder(layer, *device);
        !status.ok())
      return status;
  return loaded;
}

Result<const LoadedKernel *>
QuantLinear::State::chooseKernel(CallKind kind, int64_t rows,
                                 std::optional<void *> stream) {
  DType type = kind.type;
  unsigned before = generation.load(std::memory_order_acquire);
  TuningStep step = TuningStep::None;
  if (isTunable() && tuning != TuningPolicy::Heuristic)
    step = tuningStep(
        tuning, pinned, TunedTable::shared().isSearched(tuningKey(type, rows)),
        [&] { return stream && driver::isCapturing(*device, *stream); });
  if (step == TuningStep::Now) {
    Result<Search> found = catchOutOfMemory(
        [&] { return tuneOnce(type, rows, [] { return false; }); });
    if (!found.ok())
      log(LogLevel::Warning, "tuning: " + found.status().message());
    before = generation.load(std::memory_order_acquire);
  }
  if (step == TuningStep::Postponed)
    log(LogLevel::Info, "a call of " + std::to_string(rows) +
                            " rows is captured and is not tuned");
  Result<std::shared_ptr<const LoadedKernel>> loaded =
      load(kind, tuned(type, rows).value_or(overrides));
  if (!loaded.ok())
    return loaded.status();
  const LoadedKernel *kernel = loaded->get();
  {
    std::lock_guard lock(mutex);
    hold(*loaded);
    // Tuning that ended meanwhile knows better: the next call asks again.
    if (step != TuningStep::Postponed && generation == before)
      kernels[kind.number()].store(kernel, std::memory_order_release);
  }
  if (step == TuningStep::Later)
    tuneInBackground(type, rows);
  return kernel;
}

Status QuantLinear::State::replaceKernels(DType type, int64_t rows) {
  if (pinned)
    return Status();
  // Those in use are made before the switch, so that no call waits for one.
  std::map<int, std::shared_ptr<const LoadedKernel>> made;
  std::vector<CallKind> kinds;
  for (int bucket = 0; bucket < bucketCount; ++bucket)
    if (tuningGroup(firstRows(bucket)) == tuningGroup(rows))
      for (bool aligned : {false, true})
        kinds.push_back({type, bucket, aligned});
  std::optional<KernelConfig> chosen = tuned(type, rows);
  for (CallKind kind : kinds) {
    if (!chosen || !kernels[kind.number()])
      continue;
    auto loaded = load(kind, *chosen);
    if (!loaded.ok())
      return loaded.status();
    // And what runs before it.
    auto all = kernelsOf(**loaded, type, firstRows(kind.bucket), kind.aligned,
                         /*strided=*/false);
    if (!all.ok())
      return all.status();
    made[kind.number()] = *loaded;
  }
  std::lock_guard lock(mutex);
  ++generation;
  for (CallKind kind : kinds) {
    // Null for one that came into use meanwhile: its next call asks again.
    auto found = made.find(kind.number());
    if (found != made.end())
      hold(found->second);
    kernels[kind.number()].store(found == made.end() ? nullptr
                                                     : found->second.get(),
                                 std::memory_order_release);
  }
  return Status();
}

//===----------------------------------------------------------------------===//
// Asked for
//===----------------------------------------------------------------------===//

Result<std::vector<Candidate>>
QuantLinear::tune(DType type, int64_t rows,
                  const std::vector<std::string> &configs) try {
  if (!state)
    return State::holdsNothing();
  if (!state->device)
    return Status(ErrorCode::Unsupported,
                  "tune() measures on a GPU, and the layer is on the CPU");
  if (state->batchInvariant)
    return Status(ErrorCode::Unsupported,
                  "tune() chooses for a number of rows, and the layer is batch "
                  "invariant");
  if (Status status = State::checkCall(type, rows); !status.ok())
    return status;
  std::vector<KernelConfig> chosen;
  auto add = [&](std::vector<KernelConfig> more) {
    for (KernelConfig &config : more)
      if (!llvm::is_contained(chosen, config))
        chosen.push_back(std::move(config));
  };
  for (const std::string &words : configs) {
    if (words == "lorax") {
      add(loraxConfigs(state->layer, rows));
      continue;
    }
    Result<KernelConfig> config = parseOverrides(words);
    if (!config.ok())
      return config.status();
    chosen.push_back(std::move(*config));
  }
  if (configs.empty()) {
    add(tuningConfigs(state->layer, rows, state->weights.arePacked(),
                      state->properties));
    add(loraxConfigs(state->layer, rows));
  }
  SearchLimits limits;
  limits.threads = computeThreads(/*cores=*/false);
  std::lock_guard lock(measuring());
  Result<State::Search> found =
      state->search(type, rows, chosen, {}, limits, [] { return false; });
  if (!found.ok())
    return found.status();
  if (found->best)
    TunedTable::shared().choose(state->tuningKey(type, rows), *found->best);
  if (Status status = state->replaceKernels(type, rows); !status.ok())
    return status;
  return std::move(found->candidates);
} catch (...) {
  return caughtOutOfMemory();
}
