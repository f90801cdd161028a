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

Status tool::runInspect() {
  Result<model::Checkpoint> checkpoint = openCheckpoint(folder, formatName);
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
    table.add({name,
               {std::to_string(layer->inFeatures) + " x " +
                    std::to_string(layer->outFeatures),
                json::Array{layer->inFeatures, layer->outFeatures}},
               int64_t(layer->bits),
               layer->groupSize,
               {layer->actOrder ? "yes" : "no", layer->actOrder},
               {layer->bias.empty() ? "no" : "yes", !layer->bias.empty()},
               {fixed(bytes / 1024.0, 1), bytes},
               {"", nullptr}});
  }
  outs() << (asJson ? table.json() : table.text());
  outs().flush();
  if (bad)
    return Status(ErrorCode::InvalidFile, std::to_string(bad) + " of " +
                                              std::to_string(names.size()) +
                                              " layers cannot be read");
  return Status();
}
