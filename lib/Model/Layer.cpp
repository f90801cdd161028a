//===- Model/Layer.cpp - One quantized linear layer, in memory ------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Layer.h.
//
//===----------------------------------------------------------------------===//

#include "Model/Layer.h"
#include "Support/Half.h"

using namespace nibble;
using namespace nibble::model;

static Status invalid(const std::string &message) {
  return Status(ErrorCode::InvalidArgument, message);
}

static std::string text(int64_t number) { return std::to_string(number); }

/// Extents above this are refused, so that products of two fit 63 bits.
static constexpr int64_t maxExtent = int64_t(1) << 30;

Result<int64_t> model::checkSizes(int64_t bits, int64_t groupSize,
                                  int64_t inFeatures, int64_t outFeatures) {
  if (!Codec::takes(bits))
    return Status(ErrorCode::Unsupported, "bits is " + text(bits) +
                                              "; nibble takes " +
                                              Codec::widthsText);
  int64_t unit = Codec{static_cast<int>(bits)}.unitCodes();
  for (auto [name, value] : {std::pair("infeatures", inFeatures),
                             std::pair("outfeatures", outFeatures)}) {
    if (value > maxExtent)
      return invalid(std::string(name) + " is " + text(value) +
                     "; nibble takes at most " + text(maxExtent));
    if (value < 1 || value % unit != 0)
      return invalid(std::string(name) + " is " + text(value) +
                     "; it must be a positive multiple of " + text(unit) +
                     ", the codes of " + text(bits) +
                     " bits that fill whole words");
  }
  if (groupSize == -1)
    return inFeatures;
  if (groupSize < 1)
    return invalid("groupsize is " + text(groupSize) +
                   "; it must be -1 or positive");
  return std::min(groupSize, inFeatures);
}

bool Layer::isSymmetric() const {
  uint32_t stored = (1u << (bits - 1)) - 1;
  int64_t words = codec().words(outFeatures);
  for (int64_t g = 0; g < groups; ++g)
    for (int64_t n = 0; n < outFeatures; ++n)
      if (codec().get(&qzeros[g * words], 1, n) != stored)
        return false;
  return true;
}

void Layer::setScales(llvm::ArrayRef<float> numbers) {
  scales.resize(numbers.size());
  wideScales.clear();
  if (floatsToHalves(numbers.data(), numbers.size(), scales.data()))
    return;
  scales = std::vector<uint16_t>();
  wideScales = numbers.vec();
}

llvm::ArrayRef<uint8_t> Layer::scaleBytes() const {
  auto bytes = [](const auto &array) {
    return llvm::ArrayRef(reinterpret_cast<const uint8_t *>(array.data()),
                          array.size() * sizeof(array[0]));
  };
  return wideScales.empty() ? bytes(scales) : bytes(wideScales);
}

float Layer::scale(int64_t g, int64_t n) const {
  int64_t at = g * outFeatures + n;
  return wideScales.empty() ? halfToFloat(scales[at]) : wideScales[at];
}

Status model::checkLayer(Layer &layer) {
  Result<int64_t> groupSize = checkSizes(layer.bits, layer.groupSize,
                                         layer.inFeatures, layer.outFeatures);
  if (!groupSize.ok())
    return groupSize.status();
  layer.groupSize = *groupSize;
  if (layer.groups < 1 || layer.groups > layer.inFeatures)
    return invalid("there are " + text(layer.groups) + " groups for " +
                   text(layer.inFeatures) + " rows");
  Codec codec = layer.codec();
  auto check = [](const char *name, size_t has, int64_t needs) {
    return static_cast<int64_t>(has) == needs
               ? Status()
               : invalid(std::string(name) + " has " + text(has) +
                         " elements, expected " + text(needs));
  };
  for (Status status :
       {check("qweight", layer.qweight.size(),
              codec.words(layer.inFeatures) * layer.outFeatures),
        check("qzeros", layer.qzeros.size(),
              layer.groups * codec.words(layer.outFeatures)),
        check("scales", layer.scales.size() + layer.wideScales.size(),
              layer.groups * layer.outFeatures),
        check("g_idx", layer.gIdx.size(), layer.inFeatures),
        check("bias", layer.bias.size(),
              layer.bias.empty() ? 0 : layer.outFeatures)})
    if (!status.ok())
      return status;
  layer.actOrder = false;
  for (int64_t k = 0; k < layer.inFeatures; ++k) {
    if (layer.gIdx[k] < 0 || layer.gIdx[k] >= layer.groups)
      return invalid("g_idx[" + text(k) + "] is " + text(layer.gIdx[k]) +
                     "; there are " + text(layer.groups) + " groups");
    layer.actOrder |= layer.gIdx[k] != k / layer.groupSize;
  }
  int64_t needed = groupCount(layer.inFeatures, layer.groupSize);
  if (!layer.actOrder && layer.groups != needed)
    return invalid("there are " + text(layer.groups) + " groups; groupsize " +
                   text(layer.groupSize) + " and infeatures " +
                   text(layer.inFeatures) + " need " + text(needed));
  return Status();
}
