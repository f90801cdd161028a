//===- API/Tuner.cpp - Measuring layers, and choosing by it ---------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// QuantLinear::measure and tune. What tune() measures is kept on disk, and what
// was found best in a table of the process, which layers look into when they
// first need a kernel.
//
//===----------------------------------------------------------------------===//

#include "API/State.h"
#include "Jit/KernelCache.h"
#include "Jit/MeasuredTimes.h"
#include "Jit/ThreadPool.h"
#include "Jit/Timing.h"
#include "Support/Digest.h"
#include "Support/Environment.h"
#include "Support/Half.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <chrono>
#include <limits>
#include <random>

using namespace nibble;

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

namespace {
struct TunedTable {
  std::mutex mutex;
  std::map<std::string, KernelConfig> configs;
};
} // namespace

static TunedTable &tunedTable() {
  static auto *table = new TunedTable;
  return *table;
}

std::string QuantLinear::State::tuningKey(DType type, int64_t rows) const {
  std::string key = device->properties().name + " " + schedule + " " +
                    dtypeName(type) + " " + dtypeName(layer.scaleType());
  for (int64_t part : {tunedRows(rows), static_cast<int64_t>(layer.bits),
                       layer.groupSize, layer.inFeatures, layer.outFeatures,
                       static_cast<int64_t>(layer.actOrder),
                       static_cast<int64_t>(!layer.bias.empty())})
    key += " " + std::to_string(part);
  return key;
}

/// The name under which times of `tuningKey` on `device` are kept.
static std::string problemOf(const std::string &tuningKey,
                             const driver::Device &device) {
  return digestOf(
      {"nibble times 1", compilerBuild(), device.driver().build(), tuningKey});
}

/// `choice` as parseOverrides() reads it: 0 warps, which leave them to nibble,
/// are no word.
static std::string overrideWords(const KernelConfig &choice) {
  llvm::StringRef none = "warps=0";
  std::string words = choice.str();
  if (choice.warps == 0)
    words.erase(words.find(none), none.size());
  return words;
}

/// The best of the configurations that this or another process measured.
static std::optional<KernelConfig> bestKnown(const std::string &problem) {
  MeasuredTimes times = findTimes(DiskCache::shared(), problem);
  auto best = llvm::min_element(times, [](const auto &a, const auto &b) {
    return a.second.median < b.second.median;
  });
  if (best == times.end())
    return std::nullopt;
  Result<KernelConfig> config = parseOverrides(best->first);
  return config.ok() ? std::optional(*config) : std::nullopt;
}

std::optional<KernelConfig> QuantLinear::State::tuned(DType type,
                                                      int64_t rows) const {
  if (!device || !overrides.params.empty() || overrides.warps)
    return std::nullopt;
  std::string key = tuningKey(type, rows);
  TunedTable &table = tunedTable();
  std::lock_guard lock(table.mutex);
  if (auto found = table.configs.find(key); found != table.configs.end())
    return found->second;
  std::optional<KernelConfig> best = bestKnown(problemOf(key, *device));
  if (best)
    table.configs[key] = *best;
  return best;
}

//===----------------------------------------------------------------------===//
// Measuring
//===----------------------------------------------------------------------===//

/// x of random numbers, and y.
static std::pair<std::vector<char>, std::vector<char>>
randomArrays(DType type, int64_t rows, const model::Layer &layer) {
  std::vector<char> x(static_cast<size_t>(rows * layer.inFeatures) *
                      dtypeSize(type)),
      y(static_cast<size_t>(rows * layer.outFeatures) * 2);
  std::minstd_rand random;
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (int64_t i = 0; i < rows * layer.inFeatures; ++i) {
    float value = uniform(random);
    if (type == DType::F32)
      reinterpret_cast<float *>(x.data())[i] = value;
    else
      reinterpret_cast<uint16_t *>(x.data())[i] =
          type == DType::F16 ? floatToHalf(value) : floatToBfloat(value);
  }
  return {std::move(x), std::move(y)};
}

/// x, y and copies of a layer's weights on its device, in one of their orders:
/// enough of them that a call finds none of its weights in L2, up to a number
/// beyond which a small layer is as well measured warm.
class QuantLinear::State::ColdCalls {
public:
  static Result<ColdCalls> make(const State &state, DType type, int64_t rows,
                                bool packed) {
    constexpr size_t mostCopies = 512;
    auto [x, y] = randomArrays(type, rows, state.layer);
    ColdCalls calls(state, rows);
    for (const std::vector<char> *array : {&x, &y}) {
      Result<driver::DeviceBuffer> buffer = driver::DeviceBuffer::copyOf(
          *state.device, array->data(), array->size());
      if (!buffer.ok())
        return buffer.status();
      calls.buffers.push_back(std::move(*buffer));
    }
    size_t bytes = std::max<size_t>(state.weights.bytesRead(packed), 1);
    size_t copies = static_cast<size_t>(coldBytes(*state.device)) / bytes + 1;
    for (size_t i = 0; i < std::min(copies, mostCopies); ++i) {
      Result<WeightAddresses> weights =
          state.weights.duplicate(packed, calls.buffers);
      if (!weights.ok())
        return weights.status();
      calls.weights.push_back(*weights);
    }
    return calls;
  }

  Result<CallTime> time(const LoadedKernel &kernel) const {
    auto at = [&](size_t place) {
      return reinterpret_cast<void *>(buffers[place].address());
    };
    std::vector<Call> calls;
    for (const WeightAddresses &each : weights)
      calls.push_back([&](void *stream) {
        return state.launch(kernel, each, {at(0), state.layer.inFeatures, 1},
                            {at(1), state.layer.outFeatures, 1}, rows, stream);
      });
    return timeCalls(*state.device, calls);
  }

private:
  ColdCalls(const State &state, int64_t rows) : state(state), rows(rows) {}
  const State &state;
  int64_t rows;
  std::vector<WeightAddresses> weights;
  /// x, y, and the memory of the copies.
  std::vector<driver::DeviceBuffer> buffers;
};

/// The time of calls on the CPU: up to 200, or about 0.3 seconds of them.
static Result<CallTime> measureOnHost(const QuantLinear &linear,
                                      const model::Layer &layer, DType type,
                                      int64_t rows) {
  using Clock = std::chrono::steady_clock;
  auto [x, y] = randomArrays(type, rows, layer);
  TensorView xView =
      TensorView::dense(x.data(), type, {rows, layer.inFeatures});
  TensorView yView = TensorView::dense(
      y.data(), type == DType::BF16 ? DType::BF16 : DType::F16,
      {rows, layer.outFeatures});
  // The first call warms up.
  if (Status status = linear.forward(xView, yView); !status.ok())
    return status;
  std::vector<double> times;
  Clock::time_point begin = Clock::now();
  while (times.size() < 5 ||
         (times.size() < 200 &&
          Clock::now() - begin < std::chrono::milliseconds(300))) {
    Clock::time_point before = Clock::now();
    if (Status status = linear.forward(xView, yView); !status.ok())
      return status;
    times.push_back(
        std::chrono::duration<double, std::micro>(Clock::now() - before)
            .count());
  }
  return summarise(std::move(times));
}

Result<CallTime> QuantLinear::measure(DType type, int64_t rows) const {
  if (!state)
    return State::holdsNothing();
  Result<const LoadedKernel *> kernel = state->kernelForDense(type, rows);
  if (!kernel.ok())
    return kernel.status();
  if (!state->device)
    return measureOnHost(*this, state->layer, type, rows);
  Result<State::ColdCalls> calls =
      State::ColdCalls::make(*state, type, rows, (*kernel)->readsPacked());
  if (!calls.ok())
    return calls.status();
  return calls->time(**kernel);
}

//===----------------------------------------------------------------------===//
// Tuning
//===----------------------------------------------------------------------===//

/// What NIBBLE_PRINT_TUNING asks for.
static void printTuning(const std::string &key,
                        llvm::ArrayRef<Candidate> candidates,
                        llvm::ArrayRef<size_t> order) {
  std::string text = "tuned " + key;
  llvm::raw_string_ostream out(text);
  for (size_t i : order)
    if (candidates[i].status.ok())
      out << "\n  " << llvm::format("%9.2f us  ", candidates[i].time.median)
          << candidates[i].config;
    else
      out << "\n          -     " << candidates[i].config << ": "
          << candidates[i].status.message();
  writeLogLine(text);
}

Result<std::vector<Candidate>>
QuantLinear::tune(DType type, int64_t rows,
                  const std::vector<std::string> &configs) {
  if (!state)
    return State::holdsNothing();
  if (!state->device)
    return Status(ErrorCode::Unsupported,
                  "tune() measures on a GPU, and the layer is on the CPU");
  if (Status status = State::checkCall(type, rows); !status.ok())
    return status;
  std::vector<KernelConfig> chosen;
  for (const std::string &words : configs) {
    if (words == "lorax") {
      llvm::append_range(chosen, loraxConfigs(state->layer, rows));
      continue;
    }
    Result<KernelConfig> config = parseOverrides(words);
    if (!config.ok())
      return config.status();
    chosen.push_back(std::move(*config));
  }
  if (configs.empty()) {
    if (state->weights.arePacked())
      chosen = packedConfigs(state->layer, rows, state->device->properties());
    llvm::append_range(chosen, loraxConfigs(state->layer, rows));
  }

  CallKind kind = {type, bucketOf(rows, /*host=*/false),
                   state->denseIsAligned(type)};
  using Loaded = Result<std::shared_ptr<const LoadedKernel>>;
  std::vector<std::optional<Loaded>> kernels(chosen.size());
  ThreadPool::shared().run(
      static_cast<int64_t>(chosen.size()), [&](int64_t first, int64_t end) {
        for (int64_t i = first; i < end; ++i)
          kernels[i] =
              findOrCompile(state->requestFor(kind, chosen[i]), state->device);
      });
  // Copies of the weights in each order that a candidate reads.
  std::optional<Result<State::ColdCalls>> calls[2];

  constexpr double never = std::numeric_limits<double>::infinity();
  std::vector<Candidate> candidates;
  std::vector<size_t> order;
  for (size_t i = 0; i < chosen.size(); ++i) {
    Candidate candidate;
    candidate.time = {never, never, never};
    candidate.config = state->requestFor(kind, chosen[i]).config;
    candidate.status = kernels[i]->status();
    if (candidate.status.ok()) {
      const LoadedKernel &kernel = ***kernels[i];
      auto &cold = calls[kernel.readsPacked()];
      if (!cold)
        cold.emplace(
            State::ColdCalls::make(*state, type, rows, kernel.readsPacked()));
      if (!cold->ok())
        return cold->status();
      Result<CallTime> time = (*cold)->time(kernel);
      candidate.status = time.status();
      if (time.ok())
        candidate.time = *time;
    }
    candidates.push_back(std::move(candidate));
    order.push_back(i);
  }
  llvm::sort(order, [&](size_t a, size_t b) {
    return std::pair(candidates[a].time.median, a) <
           std::pair(candidates[b].time.median, b);
  });
  const Candidate &best = candidates[order[0]];
  if (!best.status.ok())
    return best.status.withContext("no configuration runs; the first");

  std::string key = state->tuningKey(type, rows);
  MeasuredTimes times;
  for (size_t i : order)
    if (candidates[i].status.ok())
      times[overrideWords(chosen[i])] = candidates[i].time;
  addTimes(DiskCache::shared(), problemOf(key, *state->device), key, times);
  if (environment().printsTuning)
    printTuning(key, candidates, order);
  {
    TunedTable &table = tunedTable();
    std::lock_guard lock(table.mutex);
    table.configs[key] = chosen[order[0]];
  }
  // This layer's calls of the same tuning look the kernel up anew.
  for (int bucket = 0; bucket < bucketCount; ++bucket)
    if (tunedRows(firstRows(bucket)) == tunedRows(rows))
      for (bool aligned : {false, true})
        state->kernels[CallKind{type, bucket, aligned}.number()] = nullptr;
  std::vector<Candidate> sorted;
  for (size_t i : order)
    sorted.push_back(std::move(candidates[i]));
  return sorted;
}
