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
#include "Support/Digest.h"

using namespace nibble;
using namespace llvm;

/// The parts of a problem are numbered from 0 to this.
static constexpr unsigned lastPart = 31;
/// So many numbers in a row without a part are the end.
static constexpr unsigned longestGap = 4;

/// Adds the times of `entry` to `times`. What is no time is left out: it can
/// only be of a nibble to come.
static void readTimes(const CacheEntry &entry, MeasuredTimes &times) {
  const json::Object *list = entry.about.getObject("times");
  if (!list)
    return;
  for (const auto &[config, value] : *list) {
    const json::Object *time = value.getAsObject();
    auto median = time ? time->getNumber("median") : std::nullopt;
    auto p10 = time ? time->getNumber("p10") : std::nullopt;
    auto p90 = time ? time->getNumber("p90") : std::nullopt;
    if (median && p10 && p90)
      times[config.str()] = {*median, *p10, *p90};
  }
}

/// The key of a part of `problem`.
static std::string keyOf(const std::string &problem, unsigned part) {
  return part ? digestOf({problem, "part", std::to_string(part)}) : problem;
}

/// Adds the times of the parts of `problem` to `times`. Returns the number
/// after that of the last part.
static unsigned readParts(DiskCache &cache, const std::string &problem,
                          MeasuredTimes &times) {
  unsigned end = 0;
  for (unsigned part = 0; part <= lastPart && part < end + longestGap; ++part) {
    Result<CacheEntry> entry = cache.read(keyOf(problem, part));
    if (entry.ok())
      readTimes(*entry, times);
    if (entry.status().code() != ErrorCode::NotFound)
      end = part + 1;
  }
  return end;
}

MeasuredTimes nibble::findTimes(DiskCache &cache, const std::string &problem) {
  MeasuredTimes times;
  if (std::optional<FiledEntry> filed = findInKernelFiles(problem))
    readTimes(filed->entry, times);
  readParts(cache, problem, times);
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
  MeasuredTimes known, fresh;
  unsigned part = readParts(cache, key.problem, known);
  for (const auto &[config, time] : times)
    if (auto old = known.find(config);
        old == known.end() || old->second != time)
      fresh[config] = time;
  if (fresh.empty())
    return;
  // Others may be adding parts as well.
  for (; part <= lastPart; ++part)
    if (cache.storeNew(keyOf(key.problem, part), timesEntry(key, fresh)))
      return;
  cache.update(keyOf(key.problem, lastPart), [&](const CacheEntry *old) {
    MeasuredTimes all;
    if (old)
      readTimes(*old, all);
    for (const auto &[config, time] : fresh)
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
