//===- Model/Formats.cpp - From each format to the canonical layer --------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Formats.h. Sizes come from tensors whose bytes are in the file, or are
// checked against such, before anything is allocated by them.
//
//===----------------------------------------------------------------------===//

#include "Model/Formats.h"
#include "Model/GptqTensors.h"
#include "Model/Pack.h"
#include "llvm/ADT/STLExtras.h"

using namespace nibble;
using namespace nibble::model;
using llvm::ArrayRef;

static Status invalid(const std::string &message) {
  return Status(ErrorCode::InvalidFile, message);
}

/// Checks bits, groups and sizes, and gives the rows of a group.
static Result<int64_t> checkSettings(const LayerTensors &tensors,
                                     const LayerSettings &settings, int64_t K,
                                     int64_t N) {
  Result<int64_t> rows = checkSizes(settings.bits, settings.groupSize, K, N);
  if (rows.ok())
    return rows;
  // The arguments are the file's.
  ErrorCode code = rows.status().code() == ErrorCode::Unsupported
                       ? ErrorCode::Unsupported
                       : ErrorCode::InvalidFile;
  return Status(code, "layer '" + tensors.layerName() +
                          "': " + rows.status().message());
}

/// A layer with the sizes and settings given, which are checked, and nothing
/// else.
static Layer blank(const LayerSettings &settings, int64_t rows, int64_t K,
                   int64_t N) {
  Layer layer;
  layer.bits = static_cast<int>(settings.bits);
  layer.groupSize = rows;
  layer.inFeatures = K;
  layer.outFeatures = N;
  layer.groups = groupCount(K, rows);
  return layer;
}

/// Reads `gIdx` if it is there, and the bias, and checks the layer.
static Result<Layer> finish(const LayerTensors &tensors, Layer layer,
                            const char *gIdx) {
  if (tensors.find(gIdx))
    if (Status status = tensors.read(gIdx, {layer.inFeatures}, layer.gIdx);
        !status.ok())
      return status;
  if (layer.gIdx.empty())
    for (int64_t k = 0; k < layer.inFeatures; ++k)
      layer.gIdx.push_back(static_cast<int32_t>(k / layer.groupSize));
  if (tensors.find("bias"))
    if (Status status =
            tensors.readFloats("bias", {layer.outFeatures}, layer.bias);
        !status.ok())
      return status;
  if (Status status = checkLayer(layer); !status.ok())
    return invalid("layer '" + tensors.layerName() + "': " + status.message());
  return layer;
}

/// Fills qweight by `fillUnits(begin, end)`, which writes all words of units
/// [begin, end) of rows, and qzeros from zero points one by one.
template <typename UnitsT, typename ZeroT>
static void packCodes(Layer &layer, UnitsT fillUnits, ZeroT zeroOf) {
  Codec codec = layer.codec();
  int64_t K = layer.inFeatures, N = layer.outFeatures, row = codec.words(N);
  int64_t unit = codec.unitCodes(), unitWords = codec.words(unit) * N;
  layer.qweight.resize(K / unit * unitWords);
  fillBulk(K / unit, unitWords * sizeof(int32_t), fillUnits);
  layer.qzeros.assign(layer.groups * row, 0);
  for (int64_t g = 0; g < layer.groups; ++g)
    for (int64_t n = 0; n < N; ++n)
      codec.put(&layer.qzeros[g * row], 1, n,
                (zeroOf(g, n) - 1) & codec.maxCode());
}

//===----------------------------------------------------------------------===//
// GPTQ
//===----------------------------------------------------------------------===//

/// Which format symmetric zero points give away; nothing if they do not.
static std::optional<Format> formatOfZeros(const Layer &layer) {
  if (layer.isSymmetric())
    return Format::Gptq;
  Layer other = layer;
  other.qzeros = shiftedZeros(layer, -1);
  return other.isSymmetric() ? std::optional(Format::GptqV2) : std::nullopt;
}

Result<Layer> model::readGptq(const LayerTensors &tensors,
                              const LayerSettings &settings, Format format,
                              Certainty certainty) {
  Result<ArrayRef<int64_t>> shape = tensors.shapeOf(
      "qweight", "[K * " + std::to_string(settings.bits) + " / 32, N]");
  if (!shape.ok())
    return shape.status();
  int64_t words = (*shape)[0], N = (*shape)[1];
  if (words > INT64_MAX / 32)
    return invalid("tensor '" + tensors.layerName() +
                   ".qweight' has more rows than fit 63 bits");
  // Other bits are refused before K is looked at.
  int64_t K = Codec::takes(settings.bits)
                  ? Codec{static_cast<int>(settings.bits)}.codes(words)
                  : 0;
  Result<int64_t> rows = checkSettings(tensors, settings, K, N);
  if (!rows.ok())
    return rows.status();
  Layer layer = blank(settings, *rows, K, N);
  Status status = tensors.read("qweight", *shape, layer.qweight);
  if (status.ok())
    status = tensors.read("qzeros", {layer.groups, layer.codec().words(N)},
                          layer.qzeros);
  if (status.ok())
    status = tensors.readScales("scales", {layer.groups, N}, layer);
  if (!status.ok())
    return status;
  if (certainty != Certainty::Given && settings.symmetric) {
    std::optional<Format> seen = formatOfZeros(layer);
    if (seen && *seen != format && certainty == Certainty::Label)
      return invalid("layer '" + tensors.layerName() +
                     "': the checkpoint says that it is " + formatName(format) +
                     " and symmetric, but its zero points are those of " +
                     formatName(*seen) + "; name the format to overrule it");
    format = seen.value_or(format);
  }
  if (format == Format::GptqV2)
    layer.qzeros = shiftedZeros(layer, -1);
  return finish(tensors, std::move(layer), "g_idx");
}

//===----------------------------------------------------------------------===//
// AWQ
//===----------------------------------------------------------------------===//

/// Makes nibble i of word j what nibble j of word i was.
static void transposeNibbles(uint32_t (&words)[8]) {
  constexpr std::pair<int, uint32_t> stages[] = {
      {4, 0x0000ffff}, {2, 0x00ff00ff}, {1, 0x0f0f0f0f}};
  for (auto [distance, mask] : stages)
    for (int i = 0; i < 8; ++i)
      if (!(i & distance)) {
        uint32_t &low = words[i], &high = words[i + distance];
        uint32_t swapped = (low >> 4 * distance ^ high) & mask;
        high ^= swapped;
        low ^= swapped << 4 * distance;
      }
}

Result<Layer> model::readAwq(const LayerTensors &tensors,
                             const LayerSettings &settings) {
  if (settings.bits != 4)
    return Status(ErrorCode::Unsupported, "layer '" + tensors.layerName() +
                                              "' has " +
                                              std::to_string(settings.bits) +
                                              " bits; AWQ's packing has 4");
  Result<ArrayRef<int64_t>> shape = tensors.shapeOf("qweight", "[K, N / 8]");
  if (!shape.ok())
    return shape.status();
  int64_t K = (*shape)[0], words = (*shape)[1];
  if (words > INT64_MAX / 8)
    return invalid("tensor '" + tensors.layerName() +
                   ".qweight' has more columns than fit 63 bits");
  int64_t N = words * 8;
  Result<int64_t> rows = checkSettings(tensors, settings, K, N);
  if (!rows.ok())
    return rows.status();
  Layer layer = blank(settings, *rows, K, N);
  BulkVector<int32_t> codes;
  std::vector<int32_t> zeros;
  Status status = tensors.read("qweight", *shape, codes);
  // A symmetric checkpoint may come without zero points.
  bool zerosMissing = settings.symmetric && !tensors.find("qzeros");
  if (status.ok() && !zerosMissing)
    status = tensors.read("qzeros", {layer.groups, words}, zeros);
  if (status.ok())
    status = tensors.readScales("scales", {layer.groups, N}, layer);
  if (!status.ok())
    return status;
  // The nibble of a word that has each of its eight columns.
  static constexpr int nibbleOf[] = {0, 4, 1, 5, 2, 6, 3, 7};
  auto fillUnits = [&](size_t begin, size_t end) {
    for (size_t u = begin; u < end; ++u)
      for (int64_t w = 0; w < words; ++w) {
        uint32_t block[8];
        for (int k = 0; k < 8; ++k)
          block[k] = static_cast<uint32_t>(codes[(u * 8 + k) * words + w]);
        transposeNibbles(block);
        for (int n = 0; n < 8; ++n)
          layer.qweight[u * N + w * 8 + n] =
              static_cast<int32_t>(block[nibbleOf[n]]);
      }
  };
  packCodes(layer, fillUnits, [&](int64_t g, int64_t n) {
    return zerosMissing ? 8u
                        : static_cast<uint32_t>(zeros[g * words + n / 8]) >>
                                  (4 * nibbleOf[n % 8]) &
                              15;
  });
  return finish(tensors, std::move(layer), "g_idx");
}

//===----------------------------------------------------------------------===//
// compressed-tensors
//===----------------------------------------------------------------------===//

static int64_t wordsFor(int64_t codes, int64_t perWord) {
  return (codes + perWord - 1) / perWord;
}

/// Reads zero points as codes, [G, N]: packed, signed, or those of symmetric
/// layers.
static Status readZeros(const LayerTensors &tensors, const Layer &layer,
                        bool symmetric, std::vector<uint32_t> &zeros) {
  int64_t N = layer.outFeatures, G = layer.groups;
  uint32_t middle = 1u << (layer.bits - 1), maxq = layer.codec().maxCode();
  zeros.assign(G * N, middle);
  const char *part = "weight_zero_point";
  const FileTensor *tensor = tensors.find(part);
  if (!tensor && symmetric)
    return Status();
  if (tensor && tensor->dtype == "I8") {
    std::vector<int8_t> given;
    if (Status status = tensors.read(part, {N, G}, given); !status.ok())
      return status;
    for (int64_t n = 0; n < N; ++n)
      for (int64_t g = 0; g < G; ++g) {
        int64_t zero = given[n * G + g] + static_cast<int64_t>(middle);
        if (zero < 0 || zero > maxq)
          return invalid("layer '" + tensors.layerName() +
                         "': weight_zero_point[" + std::to_string(n) + ", " +
                         std::to_string(g) + "] is " +
                         std::to_string(given[n * G + g]) + ", which has no " +
                         std::to_string(layer.bits) + " bits");
        zeros[g * N + n] = static_cast<uint32_t>(zero);
      }
    return Status();
  }
  int64_t P = 32 / layer.bits;
  std::vector<int32_t> packed;
  if (Status status = tensors.read(part, {wordsFor(N, P), G}, packed);
      !status.ok())
    return status;
  for (int64_t g = 0; g < G; ++g)
    for (int64_t n = 0; n < N; ++n)
      zeros[g * N + n] = static_cast<uint32_t>(packed[n / P * G + g]) >>
                             (layer.bits * (n % P)) &
                         maxq;
  return Status();
}

/// Reads scales as [G, N]: one for each group of a row, or one for all.
static Status readScales(const LayerTensors &tensors, Layer &layer) {
  int64_t N = layer.outFeatures, G = layer.groups;
  const char *part = "weight_scale";
  std::vector<float> given;
  const FileTensor *tensor = tensors.find(part);
  bool one = tensor && tensor->shape == std::vector<int64_t>{1};
  Status status = one ? tensors.readFloats(part, {1}, given)
                      : tensors.readFloats(part, {N, G}, given);
  if (!status.ok())
    return status;
  std::vector<float> scales(G * N);
  for (int64_t g = 0; g < G; ++g)
    for (int64_t n = 0; n < N; ++n)
      scales[g * N + n] = one ? given[0] : given[n * G + g];
  layer.setScales(scales);
  return Status();
}

Result<Layer> model::readCompressed(const LayerTensors &tensors,
                                    const LayerSettings &settings) {
  std::vector<int64_t> size;
  if (Status status = tensors.read("weight_shape", {2}, size); !status.ok())
    return status;
  int64_t N = size[0], K = size[1];
  Result<int64_t> rows = checkSettings(tensors, settings, K, N);
  if (!rows.ok())
    return rows.status();
  Layer layer = blank(settings, *rows, K, N);
  int64_t P = 32 / layer.bits, words = wordsFor(K, P);
  BulkVector<int32_t> packed;
  std::vector<uint32_t> zeros;
  Status status = tensors.read("weight_packed", {N, words}, packed);
  if (status.ok())
    status = readScales(tensors, layer);
  if (status.ok())
    status = readZeros(tensors, layer, settings.symmetric, zeros);
  if (!status.ok())
    return status;
  Codec codec = layer.codec();
  auto fillUnits = [&](size_t begin, size_t end) {
    auto first = static_cast<int64_t>(begin), last = static_cast<int64_t>(end);
    if (!codec.splits()) {
      // The same words, in lines along K. A cache line of them at a time.
      for (int64_t block = first; block < last; block += 16)
        for (int64_t n = 0; n < N; ++n)
          for (int64_t u = block; u < std::min(block + 16, last); ++u)
            layer.qweight[u * N + n] = packed[n * words + u];
      return;
    }
    int64_t unit = codec.unitCodes(), unitWords = codec.words(unit) * N;
    std::fill(layer.qweight.begin() + first * unitWords,
              layer.qweight.begin() + last * unitWords, 0);
    for (int64_t u = first; u < last; ++u)
      for (int64_t n = 0; n < N; ++n)
        for (int64_t k = u * unit; k < (u + 1) * unit; ++k)
          codec.put(&layer.qweight[n], N, k,
                    static_cast<uint32_t>(packed[n * words + k / P]) >>
                            (layer.bits * (k % P)) &
                        codec.maxCode());
  };
  packCodes(layer, fillUnits,
            [&](int64_t g, int64_t n) { return zeros[g * N + n]; });
  // A layer that was not quantized in another order may say so by -1.
  const char *gIdx = "weight_g_idx";
  std::vector<int32_t> order;
  if (tensors.find(gIdx)) {
    if (status = tensors.read(gIdx, {K}, order); !status.ok())
      return status;
    if (llvm::all_of(order, [](int32_t each) { return each == -1; }))
      gIdx = "";
  }
  return finish(tensors, std::move(layer), gIdx);
}
