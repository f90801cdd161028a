//===- Jit/MeasuredTimes.cpp - What was measured, for the next process ----===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See MeasuredTimes.h.
//
//===----------------------------------------------------------------------===//

#include "Jit/MeasuredTimes.h"
#include "Jit/KernelFile.h"

using namespace nibble;
using namespace llvm;

/// Adds the times of `entry` to `times`. What is no time is left out: it can
/// only be of a nibble to come.
static void readTimes(const CacheEntry &entry, MeasuredTimes &times) {
  const json::Object *list = entry.about.getObject("times");
  for (const auto &[config, value] : list ? *list : json::Object()) {
    const json::Object *time = value.getAsObject();
    auto median = time ? time->getNumber("median") : std::nullopt;
    auto p10 = time ? time->getNumber("p10") : std::nullopt;
    auto p90 = time ? time->getNumber("p90") : std::nullopt;
    if (median && p10 && p90)
      times[config.str()] = {*median, *p10, *p90};
  }
}

MeasuredTimes nibble::findTimes(DiskCache &cache, const std::string &problem) {
  MeasuredTimes times;
  if (std::optional<FiledEntry> filed = findInKernelFiles(problem))
    readTimes(filed->entry, times);
  if (std::optional<CacheEntry> entry = cache.find(problem))
    readTimes(*entry, times);
  return times;
}

CacheEntry nibble::timesEntry(const TuningKey &key,
                              const MeasuredTimes &times) {
  json::Object list;
  for (const auto &[config, time] : times)
    list[config] = json::Object{
        {"median", time.median}, {"p10", time.p10}, {"p90", time.p90}};
  return {json::Object{{"kind", "times"},
                       {"name", key.name},
                       {"call", key.call},
                       {"target", key.target},
                       {"times", std::move(list)}},
          ""};
}

void nibble::addTimes(DiskCache &cache, const TuningKey &key,
                      const MeasuredTimes &times) {
  cache.update(key.problem, [&](const CacheEntry *old) {
    MeasuredTimes all;
    if (old)
      readTimes(*old, all);
    for (const auto &[config, time] : times)
      all[config] = time;
    return timesEntry(key, all);
  });
}

Result<std::vector<FiledTimes>> nibble::readTimesFile(const std::string &path) {
  Result<std::unique_ptr<const KernelFile>> file = KernelFile::open(path);
  if (!file.ok())
    return file.status();
  std::vector<FiledTimes> all;
  for (const std::string &key : (*file)->keys()) {
    std::optional<CacheEntry> entry = (*file)->find(key);
    if (!entry || entry->about.getString("kind") != StringRef("times"))
      continue;
    auto field = [&](const char *name) {
      return entry->about.getString(name).value_or("").str();
    };
    FiledTimes &filed = all.emplace_back();
    filed.key = {field("name"), key, field("call"), field("target")};
    readTimes(*entry, filed.times);
  }
  return all;
}
