//===- fuzz-checkpoint.cpp - Assembling layers of a checkpoint ------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The input is a configuration, an index (or nothing), the header of a
// safetensors file and its data, with bytes of value 0 between them. Every
// layer is read; one that is accepted must keep what Layer promises.
//
//===----------------------------------------------------------------------===//

#include "FuzzFiles.h"
#include "Model/Checkpoint.h"
#include "Model/Pack.h"
#include <cstdlib>

using namespace nibble;
using namespace nibble::model;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::vector<std::string_view> parts = fuzz::cut(
      std::string_view(reinterpret_cast<const char *>(data), size), 4);
  parts.resize(4);
  fuzz::setFile("quantize_config.json", parts[0]);
  if (parts[1].empty())
    fuzz::removeFile("model.safetensors.index.json");
  else
    fuzz::setFile("model.safetensors.index.json", parts[1]);
  fuzz::setFile("m.safetensors", fuzz::safetensors(parts[2], parts[3]));

  Result<Checkpoint> checkpoint = Checkpoint::open(fuzz::folder());
  if (!checkpoint.ok()) {
    if (checkpoint.status().message().empty())
      std::abort();
    return 0;
  }
  for (const std::string &name : checkpoint->layerNames()) {
    Result<Layer> layer = checkpoint->load(name);
    if (!layer.ok())
      continue;
    if (!checkLayer(*layer).ok())
      std::abort();
    // Every weight can be computed.
    std::vector<double> column(static_cast<size_t>(layer->inFeatures));
    for (int64_t n = 0; n < layer->outFeatures; ++n)
      weightColumn(*layer, n, column);
  }
  return 0;
}
