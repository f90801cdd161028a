//===- Model/Shard.cpp - Layers side by side, and parts of layers ---------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Shard.h.
//
//===----------------------------------------------------------------------===//

#include "Model/Shard.h"
#include "nibble/Codec.h"
#include "llvm/ADT/STLExtras.h"
#include <numeric>

using namespace nibble;
using namespace nibble::model;

static Status invalid(const std::string &message) {
  return Status(ErrorCode::InvalidArgument, message);
}

static std::string text(int64_t number) { return std::to_string(number); }

namespace {
/// From where to where, along rows or columns.
struct Range {
  int64_t begin, end;
};
} // namespace

/// Columns `range` of a row-major array with rows of `columns` elements.
template <typename VectorT>
static VectorT columnsOf(const VectorT &array, int64_t columns, Range range) {
  VectorT part;
  part.reserve(array.size() / columns * (range.end - range.begin));
  for (auto row = array.begin(); row != array.end(); row += columns)
    part.insert(part.end(), row + range.begin, row + range.end);
  return part;
}

/// The rows `rows` of a row-major array with rows of `columns` elements.
template <typename T>
static std::vector<T> rowsOf(const std::vector<T> &array, int64_t columns,
                             llvm::ArrayRef<int64_t> rows) {
  std::vector<T> part;
  if (!array.empty())
    for (int64_t row : rows)
      part.insert(part.end(), array.begin() + row * columns,
                  array.begin() + (row + 1) * columns);
  return part;
}

//===----------------------------------------------------------------------===//
// Fusing
//===----------------------------------------------------------------------===//

/// Checks that `part`, number `number`, can lie next to `first`.
static Status checkFits(const Layer &first, const Layer &part, size_t number) {
  for (auto [name, a, b] :
       {std::tuple("bits", int64_t(first.bits), int64_t(part.bits)),
        std::tuple("groupsize", first.groupSize, part.groupSize),
        std::tuple("infeatures", first.inFeatures, part.inFeatures),
        std::tuple("groups", first.groups, part.groups)})
    if (a != b)
      return invalid("layer " + text(number) + " to fuse has " + name + " " +
                     text(b) + ", and layer 0 has " + text(a));
  for (int64_t k = 0; k < first.inFeatures; ++k)
    if (first.gIdx[k] != part.gIdx[k])
      return invalid("layer " + text(number) + " to fuse has g_idx[" + text(k) +
                     "] " + text(part.gIdx[k]) + ", and layer 0 has " +
                     text(first.gIdx[k]));
  return Status();
}

/// The rows of `array` of each of `parts`, next to each other. All have `rows`
/// rows.
template <typename VectorT>
static VectorT sideBySide(llvm::ArrayRef<const Layer *> parts,
                          VectorT Layer::*array, int64_t rows) {
  VectorT all;
  size_t elements = 0;
  for (const Layer *part : parts)
    elements += (part->*array).size();
  all.reserve(elements);
  for (int64_t row = 0; row < rows; ++row)
    for (const Layer *part : parts) {
      const VectorT &own = part->*array;
      auto columns = static_cast<int64_t>(own.size()) / rows;
      all.insert(all.end(), own.begin() + row * columns,
                 own.begin() + (row + 1) * columns);
    }
  return all;
}

Result<Layer> model::fuseLayers(llvm::ArrayRef<const Layer *> parts) {
  if (parts.empty())
    return invalid("there are no layers to fuse");
  const Layer &first = *parts[0];
  Layer fused;
  fused.bits = first.bits;
  fused.groupSize = first.groupSize;
  fused.inFeatures = first.inFeatures;
  fused.groups = first.groups;
  fused.gIdx = first.gIdx;
  bool bias = false;
  for (auto [number, part] : llvm::enumerate(parts)) {
    if (Status status = checkFits(first, *part, number); !status.ok())
      return status;
    fused.outFeatures += part->outFeatures;
    bias |= !part->bias.empty();
  }
  fused.qweight = sideBySide(parts, &Layer::qweight,
                             Codec{first.bits}.words(first.inFeatures));
  fused.qzeros = sideBySide(parts, &Layer::qzeros, first.groups);
  // Numbers, because fp16 may hold the scales of one part and not of another.
  std::vector<float> scales;
  for (int64_t g = 0; g < first.groups; ++g)
    for (const Layer *part : parts)
      for (int64_t n = 0; n < part->outFeatures; ++n)
        scales.push_back(part->scale(g, n));
  fused.setScales(scales);
  for (const Layer *part : parts) {
    llvm::append_range(fused.bias, part->bias);
    if (bias && part->bias.empty())
      fused.bias.resize(fused.bias.size() + part->outFeatures);
  }
  if (Status status = checkLayer(fused); !status.ok())
    return status;
  return fused;
}

//===----------------------------------------------------------------------===//
// Cutting
//===----------------------------------------------------------------------===//

static Layer shardColumns(const Layer &layer, Range range) {
  Codec codec{layer.bits};
  int64_t N = layer.outFeatures;
  Layer shard = layer;
  shard.outFeatures = range.end - range.begin;
  shard.qweight = columnsOf(layer.qweight, N, range);
  shard.qzeros = columnsOf(layer.qzeros, codec.words(N),
                           {codec.words(range.begin), codec.words(range.end)});
  shard.scales = columnsOf(layer.scales, N, range);
  shard.wideScales = columnsOf(layer.wideScales, N, range);
  shard.bias = columnsOf(layer.bias, N, range);
  return shard;
}

/// Row `i` of the result is row `rows[i]` of `layer`. The rows are sorted by
/// group; without act-order they are whole units in order.
static Layer takeRows(const Layer &layer, llvm::ArrayRef<int32_t> rows) {
  Codec codec{layer.bits};
  int64_t N = layer.outFeatures;
  auto K = static_cast<int64_t>(rows.size());
  Layer shard;
  shard.bits = layer.bits;
  shard.groupSize = std::min(layer.groupSize, K);
  shard.inFeatures = K;
  shard.outFeatures = N;
  llvm::SmallVector<int64_t> groups; // of the whole layer, in use here
  for (int64_t k = 0; k < K; ++k) {
    int64_t group = layer.gIdx[rows[k]];
    if (groups.empty() || groups.back() != group)
      groups.push_back(group);
    shard.gIdx.push_back(static_cast<int32_t>(groups.size() - 1));
  }
  if (layer.actOrder) {
    shard.qweight.assign(codec.words(K) * N, 0);
    for (int64_t k = 0; k < K; ++k)
      for (int64_t n = 0; n < N; ++n)
        codec.put(&shard.qweight[n], N, k,
                  codec.get(&layer.qweight[n], N, rows[k]));
  } else { // whole words, in order
    auto begin = layer.qweight.begin() + codec.words(rows[0]) * N;
    shard.qweight.assign(begin, begin + codec.words(K) * N);
  }
  shard.groups = static_cast<int64_t>(groups.size());
  shard.qzeros = rowsOf(layer.qzeros, codec.words(N), groups);
  shard.scales = rowsOf(layer.scales, N, groups);
  shard.wideScales = rowsOf(layer.wideScales, N, groups);
  return shard;
}

Result<LayerShard> model::shardLayer(const Layer &layer, int rank, int world,
                                     ShardAxis axis) {
  if (world < 1 || rank < 0 || rank >= world)
    return invalid("there is no rank " + text(rank) + " of " + text(world));
  bool rows = axis == ShardAxis::Row;
  int64_t unit = Codec{layer.bits}.unitCodes();
  int64_t units = (rows ? layer.inFeatures : layer.outFeatures) / unit;
  if (world > units)
    return invalid(std::string(rows ? "infeatures" : "outfeatures") + " is " +
                   text(units * unit) + ", " + text(units) +
                   " times the least part of " + text(unit) +
                   ", and cannot be cut for " + text(world) + " ranks");
  Range range = {rank * units / world * unit,
                 (rank + 1) * units / world * unit};
  LayerShard shard;
  if (rows) {
    std::vector<int32_t> order(layer.inFeatures);
    std::iota(order.begin(), order.end(), 0);
    if (layer.actOrder)
      llvm::sort(order, [&](int32_t a, int32_t b) {
        return std::pair(layer.gIdx[a], a) < std::pair(layer.gIdx[b], b);
      });
    shard.inputRows.assign(order.begin() + range.begin,
                           order.begin() + range.end);
    shard.layer = takeRows(layer, shard.inputRows);
    if (rank == 0)
      shard.layer.bias = layer.bias;
  } else {
    shard.layer = shardColumns(layer, range);
  }
  if (Status status = checkLayer(shard.layer); !status.ok())
    return status;
  return shard;
}
