//===- Inspect.cpp - nibble inspect ---------------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lists the quantized layers of a checkpoint and what each needs.
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
    tool::inspectCommand("inspect",
                         "List the quantized layers of a checkpoint");

static cl::opt<std::string> folder(cl::Positional, cl::Required,
                                   cl::sub(inspectCommand), cl::cat(category),
                                   cl::desc("FOLDER"));
static cl::opt<bool> asJson("json", cl::sub(inspectCommand), cl::cat(category),
                            cl::desc("Print JSON instead of a table"));

static cl::opt<std::string> formatName("format", cl::sub(inspectCommand),
                                       cl::cat(category),
                                       cl::value_desc("name"),
                                       cl::desc(formatHelp));

/// What is allowed and yet worth a look: scales that are no numbers, which
/// every output that they touch becomes too.
static std::string oddScales(const model::Layer &layer) {
  int64_t odd = 0;
  for (int64_t g = 0; g < layer.groups; ++g)
    for (int64_t n = 0; n < layer.outFeatures; ++n)
      odd += !std::isfinite(layer.scale(g, n));
  return odd ? std::to_string(odd) + " of " +
                   std::to_string(layer.groups * layer.outFeatures) +
                   " scales are infinite or not a number"
             : "";
}

Status tool::runInspect() {
  Result<model::Checkpoint> checkpoint =
      model::Checkpoint::open(folder, formatName);
  if (!checkpoint.ok())
    return checkpoint.status();
  Table table({{"layer", "layer", true},
               {"K x N", "shape"},
               {"bits", "bits"},
               {"group", "group_size"},
               {"act-order", "act_order"},
               {"bias", "bias"},
               {"KiB", "bytes"},
               {"problem", "problem", true}});
  int64_t bad = 0;
  std::vector<std::string> names = checkpoint->layerNames();
  for (const std::string &name : names) {
    Result<model::Layer> layer = checkpoint->load(name);
    if (!layer.ok()) {
      ++bad;
      Cell none("-", nullptr);
      table.add(
          {name, none, none, none, none, none, none, layer.status().message()});
      continue;
    }
    int64_t bytes = 4 * (layer->qweight.size() + layer->qzeros.size() +
                         (layer->actOrder ? layer->gIdx.size() : 0)) +
                    layer->scaleBytes().size() + 4 * layer->bias.size();
    std::string odd = oddScales(*layer);
    table.add({name,
               {std::to_string(layer->inFeatures) + " x " +
                    std::to_string(layer->outFeatures),
                json::Array{layer->inFeatures, layer->outFeatures}},
               int64_t(layer->bits),
               layer->groupSize,
               {layer->actOrder ? "yes" : "no", layer->actOrder},
               {layer->bias.empty() ? "no" : "yes", !layer->bias.empty()},
               {fixed(bytes / 1024.0, 1), bytes},
               odd.empty() ? Cell("", nullptr) : Cell(odd)});
  }
  outs() << (asJson ? table.json() : table.text());
  outs().flush();
  if (bad)
    return Status(ErrorCode::InvalidFile, std::to_string(bad) + " of " +
                                              std::to_string(names.size()) +
                                              " layers cannot be read");
  return Status();
}
