//===- API/Checkpoint.cpp - Layers of a folder ----------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See nibble/Checkpoint.h.
//
//===----------------------------------------------------------------------===//

#include "nibble/Checkpoint.h"
#include "API/State.h"
#include "Model/Checkpoint.h"
#include "Model/Shard.h"

using namespace nibble;

Result<Checkpoint> Checkpoint::open(const std::string &folder,
                                    const std::string &format) try {
  Result<model::Checkpoint> opened = model::Checkpoint::open(folder, format);
  if (!opened.ok())
    return opened.status();
  Checkpoint checkpoint;
  checkpoint.held =
      std::make_shared<const model::Checkpoint>(std::move(*opened));
  return checkpoint;
} catch (...) {
  return caughtOutOfMemory();
}

std::vector<std::string> Checkpoint::layerNames() const {
  return held ? held->layerNames() : std::vector<std::string>();
}

Result<QuantLinear> QuantLinear::load(const Checkpoint &checkpoint,
                                      const std::string &prefix,
                                      const QuantLinearOptions &options) try {
  return loadFused(checkpoint, {prefix}, options);
} catch (...) {
  return caughtOutOfMemory();
}

Result<QuantLinear> QuantLinear::load(const std::string &folder,
                                      const std::string &prefix,
                                      const QuantLinearOptions &options) try {
  return loadFused(folder, {prefix}, options);
} catch (...) {
  return caughtOutOfMemory();
}

Result<QuantLinear>
QuantLinear::loadFused(const std::string &folder,
                       const std::vector<std::string> &prefixes,
                       const QuantLinearOptions &options) {
  Result<Checkpoint> checkpoint = Checkpoint::open(folder, options.format);
  if (!checkpoint.ok())
    return checkpoint.status();
  return loadFused(*checkpoint, prefixes, options);
}

Result<QuantLinear>
QuantLinear::loadFused(const Checkpoint &checkpoint,
                       const std::vector<std::string> &prefixes,
                       const QuantLinearOptions &options) try {
  if (!checkpoint.held)
    return Status(ErrorCode::InvalidArgument,
                  "the checkpoint holds nothing: it was not made by open(), or "
                  "was moved from");
  std::vector<model::Layer> layers;
  std::vector<const model::Layer *> parts;
  for (const std::string &prefix : prefixes) {
    Result<model::Layer> layer = checkpoint.held->load(prefix);
    if (!layer.ok())
      return layer.status();
    layers.push_back(std::move(*layer));
  }
  for (const model::Layer &layer : layers)
    parts.push_back(&layer);
  Result<model::Layer> layer = parts.size() == 1
                                   ? Result<model::Layer>(std::move(layers[0]))
                                   : model::fuseLayers(parts);
  if (!layer.ok())
    return layer.status();
  return State::hold(std::move(*layer), options);
} catch (...) {
  return caughtOutOfMemory();
}
