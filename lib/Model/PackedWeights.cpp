//===- Model/PackedWeights.cpp - A layer in the packed order --------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See PackedWeights.h. Every unit of the packed order is made in the same way:
// a table says where the bits of each of its codes go.
//
//===----------------------------------------------------------------------===//

#include "Model/PackedWeights.h"
#include "Layout/PackedOrder.h"
#include "Support/Half.h"
#include <algorithm>
#include <array>
#include <utility>

using namespace nibble;
using namespace nibble::model;
using layout::PackedOrder;

static Status checkTypes(const Layer &layer) {
  if (layer.scaleType() == DType::F16)
    return Status();
  return Status(ErrorCode::Unsupported,
                "scales are f32; the packed order takes those that fp16 holds");
}

//===----------------------------------------------------------------------===//
// Codes
//===----------------------------------------------------------------------===//

namespace {

/// Where bits of a code go in its unit.
struct Move {
  int64_t k, n;
  int firstBit;
  uint32_t mask;
  int64_t word;
  int bit;
};

} // namespace

static std::vector<Move> movesOf(const PackedOrder &order) {
  std::vector<Move> moves;
  for (const PackedOrder::Plane &plane : order.planes())
    for (int64_t lane = 0; lane < 32; ++lane)
      for (int64_t index = 0; index < order.laneCodes(); ++index) {
        layout::Coordinates code =
            order.unit()({{"lane", static_cast<uint64_t>(lane)},
                          {"index", static_cast<uint64_t>(index)}});
        moves.push_back({static_cast<int64_t>(layout::coordinate(code, "k")),
                         static_cast<int64_t>(layout::coordinate(code, "n")),
                         plane.firstBit, (1u << plane.width) - 1,
                         plane.firstWord + lane * plane.laneWords +
                             index / plane.codesPerWord(),
                         plane.bitOf(index)});
      }
  return moves;
}

static std::vector<int32_t> packCodes(const Layer &layer) {
  PackedOrder order(layer.bits);
  std::vector<Move> moves = movesOf(order);
  Codec codec = layer.codec();
  int64_t K = layer.inFeatures, N = layer.outFeatures;
  int64_t rows = order.packedRows(K), columns = order.packedColumns(N);
  std::vector<int32_t> codes(rows * columns);
  int32_t *unit = codes.data();
  for (int64_t k = 0; k < K; k += order.unitRows())
    for (int64_t n = 0; n < N;
         n += PackedOrder::unitColumns, unit += order.unitWords())
      for (const Move &move : moves) {
        if (k + move.k >= K || n + move.n >= N)
          continue;
        uint32_t code = codec.get(&layer.qweight[n + move.n], N, k + move.k);
        uint32_t placed = (code >> move.firstBit & move.mask) << move.bit;
        unit[move.word] |= static_cast<int32_t>(placed);
      }
  return codes;
}

//===----------------------------------------------------------------------===//
// Scales, zero points and rows
//===----------------------------------------------------------------------===//

/// The codes of a line of whole words, a word at a time where none lies across
/// two.
static void unpackLine(const Codec &codec, const int32_t *words, int64_t count,
                       uint8_t *codes) {
  if (codec.splits()) {
    for (int64_t i = 0; i < count; ++i)
      codes[i] = static_cast<uint8_t>(codec.get(words, 1, i));
    return;
  }
  for (int64_t i = 0; i < count; ++words)
    for (uint32_t word = static_cast<uint32_t>(*words), bit = 0; bit < 32;
         bit += static_cast<uint32_t>(codec.bits), ++i)
      codes[i] = static_cast<uint8_t>(word >> bit & codec.maxCode());
}

BulkVector<uint16_t> model::packScalesAndZeros(const Layer &layer) {
  constexpr int64_t columns = PackedOrder::unitColumns, rows = columns / 2;
  Codec codec = layer.codec();
  int64_t N = layer.outFeatures, tiles = (N + columns - 1) / columns;
  std::array<uint16_t, 256> zeroPoints; // by how they are stored
  for (uint32_t stored = 0; stored <= codec.maxCode(); ++stored)
    zeroPoints[stored] =
        floatToHalf(static_cast<float>((stored + 1) & codec.maxCode()));
  BulkVector<uint16_t> packed(layer.groups * tiles * columns * 2, 0);
  std::vector<uint8_t> codes(static_cast<size_t>(N));
  uint16_t *tile = packed.data();
  for (int64_t g = 0; g < layer.groups; ++g) {
    unpackLine(codec, &layer.qzeros[g * codec.words(N)], N, codes.data());
    const uint16_t *scales = &layer.scales[g * N];
    for (int64_t first = 0; first < N; first += columns, tile += 2 * columns)
      for (int64_t half = 0; half < 2; ++half)
        for (int64_t row = 0; row < rows; ++row) {
          int64_t n = first + half * rows + row;
          if (n >= N)
            break;
          tile[row * 4 + half] = scales[n];
          tile[row * 4 + 2 + half] = zeroPoints[codes[n]];
        }
  }
  return packed;
}

int64_t model::packedGroupRows(const Layer &layer) {
  if (layer.scaleType() != DType::F16 || layer.inFeatures >= oneGroup ||
      layer.outFeatures >= oneGroup)
    return 0;
  if (layer.groups == 1)
    return oneGroup;
  if (layer.groupSize % 16 != 0)
    return 0;
  std::vector<int64_t> rows(static_cast<size_t>(layer.groups));
  for (int32_t group : layer.gIdx)
    ++rows[static_cast<size_t>(group)];
  return std::count(rows.begin(), rows.end(), layer.groupSize) == layer.groups
             ? layer.groupSize
             : 0;
}

Result<SortedLayer> model::sortRowsByGroup(const Layer &layer) {
  if (Status status = checkTypes(layer); !status.ok())
    return status;
  int64_t K = layer.inFeatures, N = layer.outFeatures;
  std::vector<int32_t> permutation(K);
  for (int64_t k = 0; k < K; ++k)
    permutation[k] = static_cast<int32_t>(k);
  std::sort(permutation.begin(), permutation.end(), [&](int32_t a, int32_t b) {
    return std::pair(layer.gIdx[a], a) < std::pair(layer.gIdx[b], b);
  });
  SortedLayer sorted{layer, std::move(permutation)};
  sorted.layer.actOrder = false;
  for (int64_t k = 0; k < K; ++k) {
    int32_t group = layer.gIdx[sorted.permutation[k]];
    if (group != k / layer.groupSize) {
      int64_t count = std::count(layer.gIdx.begin(), layer.gIdx.end(),
                                 static_cast<int32_t>(k / layer.groupSize));
      return Status(ErrorCode::Unsupported,
                    "group " + std::to_string(k / layer.groupSize) + " has " +
                        std::to_string(count) + " rows, not " +
                        std::to_string(layer.groupSize) +
                        "; the packed order takes groups of equal size");
    }
    sorted.layer.gIdx[k] = group;
  }

  // Row by row of words. Where codes lie across two, the second is the next
  // row.
  int64_t bits = layer.bits;
  BulkVector<int32_t> &words = sorted.layer.qweight;
  std::fill(words.begin(), words.end(), 0);
  for (int64_t k = 0; k < K; ++k) {
    int64_t from = bits * sorted.permutation[k], to = bits * k;
    const int32_t *low = &layer.qweight[from / 32 * N],
                  *high = &layer.qweight[(from + bits - 1) / 32 * N];
    int32_t *first = &words[to / 32 * N],
            *second = &words[(to + bits - 1) / 32 * N];
    for (int64_t n = 0; n < N; ++n) {
      uint64_t both =
          static_cast<uint64_t>(high[n]) << 32 | static_cast<uint32_t>(low[n]);
      uint64_t code = both >> from % 32 & layer.codec().maxCode();
      uint64_t placed = code << to % 32;
      first[n] |= static_cast<int32_t>(placed);
      if (second != first)
        second[n] |= static_cast<int32_t>(placed >> 32);
    }
  }
  return sorted;
}

Result<PackedWeights> model::packWeights(const Layer &layer) {
  if (Status status = checkTypes(layer); !status.ok())
    return status;
  if (!layer.actOrder)
    return PackedWeights{
        packCodes(layer), packScalesAndZeros(layer), {}, layer.groupSize};
  Result<SortedLayer> sorted = sortRowsByGroup(layer);
  if (!sorted.ok())
    return sorted.status();
  return PackedWeights{packCodes(sorted->layer), packScalesAndZeros(layer),
                       std::move(sorted->permutation), layer.groupSize};
}
