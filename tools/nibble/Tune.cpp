//===- Tune.cpp - nibble tune ---------------------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Measures configurations of a layer's kernel on a GPU.
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "Layers.h"
#include "Table.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

using namespace nibble;
using namespace nibble::tool;
using namespace llvm;

cl::SubCommand
    tool::tuneCommand("tune",
                      "Measure configurations of a layer's kernel on a GPU");

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
                                      cl::desc("Numbers of rows of x"));
static cl::opt<std::string> device("device", cl::sub(tuneCommand),
                                   cl::cat(category), cl::init("cuda:0"),
                                   cl::value_desc("name"),
                                   cl::desc("A GPU: cuda:0, cuda:1, ..."));
static cl::opt<std::string> typeName("dtype", cl::sub(tuneCommand),
                                     cl::cat(category), cl::init("f16"),
                                     cl::value_desc("type"),
                                     cl::desc("Type of x: f16, bf16 or f32"));
static cl::list<std::string> configs(
    "config", cl::sub(tuneCommand), cl::cat(category), cl::value_desc("words"),
    cl::desc(
        "A configuration to try, such as 'BLOCK_M=64 BLOCK_N=128 "
        "BLOCK_K=32 warps=4', or lorax for the eight of LoRAX's GPTQ kernel; "
        "may be given again. Without: these and nibble's own"));
static cl::opt<bool> asJson("json", cl::sub(tuneCommand), cl::cat(category),
                            cl::desc("Print JSON instead of a table"));

Status tool::runTune() {
  Result<SmallVector<int64_t>> counts = readRowCounts(rowCounts);
  if (!counts.ok())
    return counts.status();
  Result<DType> type = readType(typeName);
  if (!type.ok())
    return type.status();
  Result<model::Checkpoint> checkpoint =
      model::Checkpoint::open(modelFolder, std::nullopt);
  if (!checkpoint.ok())
    return checkpoint.status();
  Result<std::vector<std::string>> names = chooseLayers(*checkpoint, layerName);
  if (!names.ok())
    return names.status().withContext(modelFolder);

  Table table({{"layer", "layer", true},
               {"M", "m"},
               {"us", "microseconds"},
               {"p10", "p10"},
               {"p90", "p90"},
               {"config", "config", true},
               {"why not", "error", true}});
  {
    Progress progress;
    for (const std::string &name : *names) {
      QuantLinearOptions options;
      options.device = device;
      Result<QuantLinear> layer = QuantLinear::load(modelFolder, name, options);
      if (!layer.ok())
        return layer.status();
      for (int64_t rows : *counts) {
        progress.show(name + " M=" + std::to_string(rows));
        Result<std::vector<Candidate>> tried = layer->tune(
            *type, rows,
            std::vector<std::string>(configs.begin(), configs.end()));
        if (!tried.ok())
          return tried.status().withContext(name);
        auto number = [](double time) {
          return std::isfinite(time) ? Cell(fixed(time, 2), time)
                                     : Cell("-", json::Value(nullptr));
        };
        for (const Candidate &each : *tried)
          table.add({name, rows, number(each.time.median),
                     number(each.time.p10), number(each.time.p90), each.config,
                     each.status.message()});
      }
    }
  }
  outs() << (asJson ? table.json() : table.text());
  outs().flush();
  return Status();
}
