//===- Tune.cpp - nibble tune ---------------------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Finds the fastest configurations of a checkpoint's layers on a GPU, ahead of
// their first calls, or measures given ones.
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "Layers.h"
#include "Table.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"
#include <chrono>
#include <cmath>
#include <limits>

using namespace nibble;
using namespace nibble::tool;
using namespace llvm;

cl::SubCommand
    tool::tuneCommand("tune",
                      "Find the fastest configurations of layers on a GPU");

static cl::opt<std::string> modelFolder("model", cl::sub(tuneCommand),
                                        cl::cat(category), cl::Required,
                                        cl::value_desc("folder"),
                                        cl::desc("The checkpoint"));
static cl::opt<std::string> layerName("layer", cl::sub(tuneCommand),
                                      cl::cat(category), cl::value_desc("name"),
                                      cl::desc("One layer instead of all"));
static cl::opt<std::string> rowCounts("m", cl::sub(tuneCommand),
                                      cl::cat(category), cl::init("1,16"),
                                      cl::value_desc("list"),
                                      cl::desc("Numbers of rows of x, and "
                                               "ranges such as 1:4096"));
static cl::opt<std::string> device("device", cl::sub(tuneCommand),
                                   cl::cat(category), cl::init("auto"),
                                   cl::value_desc("name"),
                                   cl::desc("cuda:0, cuda:1, ...; on the cpu "
                                            "kernels are compiled and none "
                                            "is measured"));
static cl::opt<std::string> typeName("dtype", cl::sub(tuneCommand),
                                     cl::cat(category), cl::init("f16"),
                                     cl::value_desc("type"),
                                     cl::desc("Type of x: f16, bf16 or f32"));
static cl::opt<std::string> formatName("format", cl::sub(tuneCommand),
                                       cl::cat(category),
                                       cl::value_desc("name"),
                                       cl::desc(formatHelp));
static cl::list<std::string> configs(
    "config", cl::sub(tuneCommand), cl::cat(category), cl::value_desc("words"),
    cl::desc(
        "A configuration to try, such as 'BLOCK_M=64 BLOCK_N=128 "
        "BLOCK_K=32 warps=4', or lorax for the eight of LoRAX's GPTQ kernel; "
        "may be given again. All of them are measured, and shown"));
static cl::opt<std::string>
    output("o", cl::sub(tuneCommand), cl::cat(category), cl::value_desc("file"),
           cl::desc("Write what was found to a file for NIBBLE_KERNELS, "
                    "or for nibble compile --tuning"));
static cl::opt<bool> asJson("json", cl::sub(tuneCommand), cl::cat(category),
                            cl::desc("Print JSON instead of a table"));

namespace {
/// Where a command over layers and numbers of rows is.
class Steps {
public:
  explicit Steps(size_t total) : total(total) {}
  void show(const std::string &what) {
    constexpr size_t width = 24;
    size_t full = total ? done * width / total : 0;
    progress.show("[" + std::string(full, '#') +
                  std::string(width - full, '.') + "] " + std::to_string(done) +
                  "/" + std::to_string(total) + " " + what);
  }
  void reach(size_t number) { done = number; }

private:
  Progress progress;
  size_t total, done = 0;
};
} // namespace

static Cell microseconds(double time) {
  return std::isfinite(time) ? Cell(fixed(time, 2), time)
                             : Cell("-", json::Value(nullptr));
}

/// Measures what --config says for each layer and number of rows.
static Result<Table> measureConfigs(ArrayRef<std::string> names, DType type,
                                    ArrayRef<int64_t> counts,
                                    const QuantLinearOptions &options) {
  Table table({{"layer", "layer", true},
               {"M", "m"},
               {"us", "microseconds"},
               {"p10", "p10"},
               {"p90", "p90"},
               {"config", "config", true},
               {"why not", "error", true}});
  Steps steps(names.size() * counts.size());
  for (auto [i, name] : enumerate(names)) {
    steps.show("loading " + name);
    Result<QuantLinear> layer = QuantLinear::load(modelFolder, name, options);
    if (!layer.ok())
      return layer.status();
    for (auto [j, rows] : enumerate(counts)) {
      steps.show(name + " M=" + std::to_string(rows));
      Result<std::vector<Candidate>> tried = layer->tune(
          type, rows, std::vector<std::string>(configs.begin(), configs.end()));
      if (!tried.ok())
        return tried.status().withContext(name);
      steps.reach(i * counts.size() + j + 1);
      for (const Candidate &each : *tried)
        table.add({name, rows, microseconds(each.time.median),
                   microseconds(each.time.p10), microseconds(each.time.p90),
                   each.config, each.status.message()});
    }
  }
  return table;
}

/// Prepares each layer for each number of rows, and sums up what that took.
static Result<Table> prepareLayers(ArrayRef<std::string> names, DType type,
                                   ArrayRef<int64_t> counts,
                                   const QuantLinearOptions &options,
                                   std::string &summary) {
  Table table({{"layer", "layer", true},
               {"M", "m"},
               {"us", "microseconds"},
               {"measured", "measured"},
               {"known", "known"},
               {"config", "config", true}});
  auto begin = std::chrono::steady_clock::now();
  size_t calls = 0, measured = 0, known = 0;
  Steps steps(names.size() * counts.size());
  for (auto [i, name] : enumerate(names)) {
    steps.show("loading " + name);
    Result<QuantLinear> layer = QuantLinear::load(modelFolder, name, options);
    if (!layer.ok())
      return layer.status();
    std::vector<Prepared> kinds;
    Status status = layer->prepareAll(
        {type}, counts, [&, &name = name, i = i](const Prepared &each) {
          // Kinds are fewer than counts where several share a kernel.
          steps.reach(i * counts.size() +
                      each.done * counts.size() / each.total);
          steps.show(name + " M=" + std::to_string(each.rows));
          kinds.push_back(each);
        });
    if (!status.ok())
      return status.withContext(name);
    llvm::sort(kinds, [](const Prepared &a, const Prepared &b) {
      return a.rows < b.rows;
    });
    for (const Prepared &each : kinds) {
      size_t before = each.candidates.size() - each.measured;
      ++calls;
      measured += each.measured;
      known += before;
      double time = each.candidates.empty()
                        ? std::numeric_limits<double>::infinity()
                        : each.candidates[0].time.median;
      table.add({name, each.rows, microseconds(time),
                 static_cast<int64_t>(each.measured),
                 static_cast<int64_t>(before), each.kernel->config});
    }
  }
  std::chrono::duration<double> spent =
      std::chrono::steady_clock::now() - begin;
  summary = std::to_string(names.size()) + " layers, " + std::to_string(calls) +
            " kinds of calls, " + fixed(spent.count(), 1) +
            " s: " + std::to_string(measured) + " configurations measured, " +
            std::to_string(known) + " known or unable to run\n";
  return table;
}

Status tool::runTune() {
  Result<std::vector<int64_t>> counts = readRowRanges(rowCounts);
  if (!counts.ok())
    return counts.status();
  Result<DType> type = readType(typeName);
  if (!type.ok())
    return type.status();
  Result<model::Checkpoint> checkpoint =
      model::Checkpoint::open(modelFolder, formatName);
  if (!checkpoint.ok())
    return checkpoint.status();
  Result<std::vector<std::string>> names = chooseLayers(*checkpoint, layerName);
  if (!names.ok())
    return names.status().withContext(modelFolder);
  QuantLinearOptions options;
  options.device = device;
  options.format = formatName;
  options.tuning = TuningPolicy::Blocking;
  std::string summary;
  Result<Table> table =
      configs.empty() ? prepareLayers(*names, *type, *counts, options, summary)
                      : measureConfigs(*names, *type, *counts, options);
  if (!table.ok())
    return table.status();
  outs() << (asJson ? table->json() : table->text() + summary);
  outs().flush();
  return output.empty() ? Status() : saveTuning(output);
}
