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

Result<std::shared_ptr<QuantLinear::State>>
QuantLinear::State::hold(model::Layer layer, const QuantLinearOptions &options,
                         std::vector<int32_t> inputRows) {
  auto state = std::make_shared<State>();
  state->layer = std::move(layer);
  state->inputRows = std::move(inputRows);
  Status status = state->configure(options);
  if (status.ok())
    status = state->upload();
  if (!status.ok())
    return status;
  return state;
}

Result<QuantLinear> QuantLinear::fuse(const std::vector<QuantLinear> &parts,
                                      const QuantLinearOptions &options) {
  return catchOutOfMemory([&]() -> Result<QuantLinear> {
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
    Result<std::shared_ptr<State>> state =
        State::hold(std::move(*fused), options, parts[0].state->inputRows);
    if (!state.ok())
      return state.status();
    return QuantLinear(std::move(*state));
  });
}

Result<QuantLinear>
QuantLinear::shard(int rank, int world, ShardAxis axis,
                   const QuantLinearOptions &options) const {
  return catchOutOfMemory([&]() -> Result<QuantLinear> {
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
    Result<std::shared_ptr<State>> made =
        State::hold(std::move(part->layer), options, part->inputRows);
    if (!made.ok())
      return made.status();
    return QuantLinear(std::move(*made));
  });
}
