//===- API/TunedTable.h - What tuning has found -----------------*- C++ -*-===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What calls of one kind run once somebody has tuned them: in this process, or
// in another whose times are in the cache or in a file of kernels.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_API_TUNEDTABLE_H
#define NIBBLE_API_TUNEDTABLE_H

#include "Jit/MeasuredTimes.h"
#include "Model/Layer.h"
#include "Transforms/KernelConfig.h"
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace nibble {

/// What TuningKey::call says of calls of `rows` rows of x of type `type`, by
/// `schedule`.
std::string tuningCall(const model::Layer &layer, const std::string &schedule,
                       DType type, int64_t rows);

/// The configuration of the best of `times`, by its words the first of equal
/// ones; nothing if there are none, or if it is of a nibble to come.
std::optional<KernelConfig> bestConfig(const MeasuredTimes &times);

/// Configurations and times by the calls that they are for. Every member may
/// be called from any thread.
class TunedTable {
public:
  /// A table that keeps times in `cache`.
  explicit TunedTable(DiskCache &cache) : cache(cache) {}

  /// The process's table, with the process's cache.
  static TunedTable &shared();

  /// What calls of `key` are to run: what was chosen for them, else the best of
  /// the known times; nothing if there are none.
  std::optional<KernelConfig> find(const TuningKey &key);
  /// All times that are known, by the words of a configuration.
  MeasuredTimes times(const TuningKey &key);

  /// Keeps `times`, here and in the cache.
  void add(const TuningKey &key, const MeasuredTimes &times);
  /// Lets calls of `key` run `config` from now on.
  void choose(const TuningKey &key, const KernelConfig &config);

  /// Whether a search for calls of `key` was finished in this process.
  bool isSearched(const TuningKey &key);
  void setSearched(const TuningKey &key);

  /// Writes the times of all calls that this process tuned or found tuned to
  /// file `path`, a file of kernels without any. NotFound if there are none.
  Status save(const std::string &path);

private:
  struct Known {
    TuningKey key;
    std::optional<KernelConfig> chosen;
    /// Those that this process measured.
    MeasuredTimes measured;
    bool searched = false;
  };
  // With the lock held.
  Known &knownOf(const TuningKey &key);
  MeasuredTimes allTimes(const std::string &problem) const;

  DiskCache &cache;
  std::mutex mutex;
  /// By TuningKey::problem.
  std::map<std::string, Known> known;
};

} // namespace nibble

#endif // NIBBLE_API_TUNEDTABLE_H
