//===- Model/Shard.h - Layers side by side, and parts of layers -----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What nibble/Shard.h promises, on layers in memory. All of it moves codes,
// scales and zero points and computes none, so that weights stay the same.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_MODEL_SHARD_H
#define NIBBLE_MODEL_SHARD_H

#include "Model/Layer.h"
#include "nibble/Shard.h"
#include "llvm/ADT/ArrayRef.h"

namespace nibble::model {

/// The layers `parts` next to each other along N: x times it is what x times
/// each is, side by side. They must agree in bits, groupSize, K and g_idx. If
/// some have a bias, those without get zeros.
Result<Layer> fuseLayers(llvm::ArrayRef<const Layer *> parts);

/// A part of a layer.
struct LayerShard {
  Layer layer;
  /// For each row of `layer`, the row of the whole layer; empty if it has all
  /// rows.
  std::vector<int32_t> inputRows;
};

/// The part of `layer` for `rank` of `world`.
Result<LayerShard> shardLayer(const Layer &layer, int rank, int world,
                              ShardAxis axis);

} // namespace nibble::model

#endif // NIBBLE_MODEL_SHARD_H
