//===- Model/PackedWeights.cpp - A layer in the packed order --------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See PackedWeights.h. A unit of the packed order and the words of the
// checkpoint that it is made from have the same size, 8 rows of 16 words, and
// every unit is made in the same way: tables say, for each code of a packed
// word, which word of the checkpoint has it and where.
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
  if (layer.scaleType() != DType::F16)
    return Status(ErrorCode::Unsupported,
                  "scales are f32; the packed order takes those that fp16 "
                  "holds");
  if (PackedOrder::takes(layer.bits))
    return Status();
  return Status(ErrorCode::Unsupported,
                "there is no packed order for codes of " +
                    std::to_string(layer.bits) + " bits; 2, 4 and 8 have one");
}

//===----------------------------------------------------------------------===//
// Codes
//===----------------------------------------------------------------------===//

namespace {

/// 128 words: a unit, or the words of the checkpoint that it is made from.
using UnitWords = std::array<uint32_t, PackedOrder::unitWords>;

/// How a unit is made.
class UnitPacker {
public:
  explicit UnitPacker(int bits)
      : mask((1u << bits) - 1), perWord(static_cast<size_t>(32 / bits)) {
    PackedOrder order(bits);
    for (uint64_t word = 0; word < PackedOrder::unitWords; ++word)
      for (uint64_t slot = 0; slot < perWord; ++slot) {
        layout::Coordinates code =
            order.unit()({{"lane", word / PackedOrder::laneWords},
                          {"word", word % PackedOrder::laneWords},
                          {"slot", slot}});
        uint64_t k = layout::coordinate(code, "k"),
                 n = layout::coordinate(code, "n");
        moves.push_back(
            {static_cast<uint8_t>(k / perWord * PackedOrder::unitColumns + n),
             static_cast<uint8_t>(bits * (k % perWord)),
             static_cast<uint8_t>(
                 layout::coordinate(order.codec()({{"slot", slot}}), "bit"))});
      }
  }

  void pack(const UnitWords &from, int32_t *to) const {
    const Move *move = moves.data();
    for (int64_t i = 0; i < PackedOrder::unitWords; ++i) {
      uint32_t word = 0;
      for (size_t slot = 0; slot < perWord; ++slot, ++move)
        word |= (from[move->word] >> move->from & mask) << move->to;
      to[i] = static_cast<int32_t>(word);
    }
  }

private:
  /// Where a code is in the checkpoint's words, and its bit in the packed one.
  struct Move {
    uint8_t word, from, to;
  };
  uint32_t mask;
  size_t perWord;
  std::vector<Move> moves;
};

} // namespace

static std::vector<int32_t> packCodes(const Layer &layer) {
  PackedOrder order(layer.bits);
  UnitPacker packer(layer.bits);
  constexpr int64_t columns = PackedOrder::unitColumns;
  constexpr int64_t unitHeight = PackedOrder::unitWords / columns;
  int64_t N = layer.outFeatures;
  int64_t wordRows = layer.inFeatures / order.codesPerWord();
  int64_t rows = order.packedRows(layer.inFeatures);
  std::vector<int32_t> codes(rows * order.packedColumns(N));
  int32_t *next = codes.data();
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t n = 0; n < N; n += columns, next += PackedOrder::unitWords) {
      UnitWords words = {};
      int64_t width = std::min(columns, N - n);
      int64_t first = row * unitHeight;
      for (int64_t i = 0; i < std::min(unitHeight, wordRows - first); ++i) {
        const int32_t *line = &layer.qweight[(first + i) * N + n];
        std::copy(line, line + width, &words[i * columns]);
      }
      packer.pack(words, next);
    }
  return codes;
}

//===----------------------------------------------------------------------===//
// Scales, zero points and rows
//===----------------------------------------------------------------------===//

std::vector<uint16_t> model::packScalesAndZeros(const Layer &layer) {
  constexpr int64_t columns = PackedOrder::unitColumns;
  Codec codec = layer.codec();
  int64_t N = layer.outFeatures, tiles = (N + columns - 1) / columns;
  std::vector<uint16_t> packed(layer.groups * tiles * columns * 2);
  for (int64_t g = 0; g < layer.groups; ++g)
    for (int64_t n = 0; n < N; ++n) {
      int64_t tile = n / columns, row = n % 8, half = n % columns / 8;
      uint16_t *place = &packed[((g * tiles + tile) * 8 + row) * 4 + half];
      place[0] = layer.scales[g * N + n];
      uint32_t stored = codec.get(&layer.qzeros[g * codec.words(N)], 1, n);
      place[2] =
          floatToHalf(static_cast<float>((stored + 1) & codec.maxCode()));
    }
  return packed;
}

int64_t model::packedGroupRows(const Layer &layer) {
  if (!PackedOrder::takes(layer.bits) || layer.scaleType() != DType::F16 ||
      layer.inFeatures >= oneGroup || layer.outFeatures >= oneGroup)
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

  int64_t perWord = 32 / layer.bits;
  uint32_t mask = (1u << layer.bits) - 1;
  std::vector<int32_t> &words = sorted.layer.qweight;
  std::fill(words.begin(), words.end(), 0);
  for (int64_t k = 0; k < K; ++k) {
    int64_t old = sorted.permutation[k];
    const int32_t *from = &layer.qweight[old / perWord * N];
    int32_t *to = &words[k / perWord * N];
    int64_t right = layer.bits * (old % perWord);
    int64_t left = layer.bits * (k % perWord);
    for (int64_t n = 0; n < N; ++n)
      to[n] = static_cast<int32_t>(
          static_cast<uint32_t>(to[n]) |
          (static_cast<uint32_t>(from[n]) >> right & mask) << left);
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
