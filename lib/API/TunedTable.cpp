//===- API/TunedTable.cpp - What tuning has found -------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See TunedTable.h.
//
//===----------------------------------------------------------------------===//

#include "API/TunedTable.h"
#include "API/KernelChoice.h"
#include "Jit/KernelFile.h"
#include "llvm/ADT/STLExtras.h"

using namespace nibble;

std::string nibble::tuningCall(const model::Layer &layer,
                               const std::string &schedule, DType type,
                               int64_t rows) {
  std::string call =
      schedule + " " + dtypeName(type) + " " + dtypeName(layer.scaleType());
  for (int64_t part : {tuningGroup(rows), static_cast<int64_t>(layer.bits),
                       layer.groupSize, layer.inFeatures, layer.outFeatures,
                       static_cast<int64_t>(layer.actOrder),
                       static_cast<int64_t>(!layer.bias.empty())})
    call += " " + std::to_string(part);
  return call;
}

std::optional<KernelConfig> nibble::bestConfig(const MeasuredTimes &times) {
  auto best = llvm::min_element(times, [](const auto &a, const auto &b) {
    return a.second.median < b.second.median;
  });
  if (best == times.end())
    return std::nullopt;
  Result<KernelConfig> config = parseOverrides(best->first);
  return config.ok() ? std::optional(std::move(*config)) : std::nullopt;
}

/// Never destroyed: a thread may tune while the process ends.
TunedTable &TunedTable::shared() {
  static auto *table = new TunedTable(DiskCache::shared());
  return *table;
}

TunedTable::Known &TunedTable::knownOf(const TuningKey &key) {
  Known &own = known[key.problem];
  own.key = key;
  return own;
}

MeasuredTimes TunedTable::allTimes(const std::string &problem) const {
  MeasuredTimes times = findTimes(cache, problem);
  if (auto own = known.find(problem); own != known.end())
    for (const auto &[config, time] : own->second.measured)
      times[config] = time;
  return times;
}

std::optional<KernelConfig> TunedTable::find(const TuningKey &key) {
  std::lock_guard lock(mutex);
  if (auto own = known.find(key.problem);
      own != known.end() && own->second.chosen)
    return own->second.chosen;
  std::optional<KernelConfig> best = bestConfig(allTimes(key.problem));
  if (best)
    knownOf(key).chosen = best;
  return best;
}

MeasuredTimes TunedTable::times(const TuningKey &key) {
  std::lock_guard lock(mutex);
  return allTimes(key.problem);
}

void TunedTable::add(const TuningKey &key, const MeasuredTimes &times) {
  {
    std::lock_guard lock(mutex);
    Known &own = knownOf(key);
    for (const auto &[config, time] : times)
      own.measured[config] = time;
  }
  addTimes(cache, key, times);
}

void TunedTable::choose(const TuningKey &key, const KernelConfig &config) {
  std::lock_guard lock(mutex);
  knownOf(key).chosen = config;
}

bool TunedTable::isSearched(const TuningKey &key) {
  std::lock_guard lock(mutex);
  auto own = known.find(key.problem);
  return own != known.end() && own->second.searched;
}

void TunedTable::setSearched(const TuningKey &key) {
  std::lock_guard lock(mutex);
  knownOf(key).searched = true;
}

Status TunedTable::save(const std::string &path) {
  std::map<std::string, CacheEntry> entries;
  {
    std::lock_guard lock(mutex);
    for (const auto &[problem, own] : known)
      if (MeasuredTimes times = allTimes(problem); !times.empty())
        entries.emplace(problem, timesEntry(own.key, times));
  }
  if (entries.empty())
    return Status(ErrorCode::NotFound,
                  "nothing was tuned that could be written to '" + path + "'");
  return writeKernelFile(path, entries);
}
