//===- API/Shard.cpp - Fused layers and parts of layers -------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See nibble/Shard.h.
//
//===----------------------------------------------------------------------===//

#include "Model/Shard.h"
#include "API/State.h"

using namespace nibble;

Result<QuantLinear> QuantLinear::fuse(const std::vector<QuantLinear> &parts,
                                      const QuantLinearOptions &options) try {
  std::vector<const model::Layer *> layers;
  for (const QuantLinear &part : parts) {
    if (!part.state)
      return State::holdsNothing();
    layers.push_back(&part.state->layer);
    if (part.state->inputRows != parts[0].state->inputRows)
      return Status(ErrorCode::InvalidArgument,
                    "layer " + std::to_string(layers.size() - 1) +
                        " to fuse takes other columns of x than layer 0");
  }
  Result<model::Layer> fused = model::fuseLayers(layers);
  if (!fused.ok())
    return fused.status();
  return State::hold(std::move(*fused), options, parts[0].state->inputRows);
} catch (...) {
  return caughtOutOfMemory();
}

Result<QuantLinear> QuantLinear::shard(int rank, int world, ShardAxis axis,
                                       const QuantLinearOptions &options) const
    try {
  if (!state)
    return State::holdsNothing();
  Result<model::LayerShard> part =
      model::shardLayer(state->layer, rank, world, axis);
  if (!part.ok())
    return part.status();
  const std::vector<int32_t> &whole = state->inputRows;
  if (part->inputRows.empty())
    part->inputRows = whole;
  else if (!whole.empty()) // a part of a part
    for (int32_t &row : part->inputRows)
      row = whole[row];
  return State::hold(std::move(part->layer), options,
                     std::move(part->inputRows));
} catch (...) {
  return caughtOutOfMemory();
}
