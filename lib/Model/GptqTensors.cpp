//===- Model/GptqTensors.cpp - Layers as a GPTQ checkpoint has them -------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See GptqTensors.h.
//
//===----------------------------------------------------------------------===//

#include "Model/GptqTensors.h"
#include "Support/Half.h"

using namespace nibble;
using namespace nibble::model;

template <typename VectorT>
static std::vector<uint8_t> bytesOf(const VectorT &array) {
  const auto *bytes = reinterpret_cast<const uint8_t *>(array.data());
  return std::vector<uint8_t>(bytes,
                              bytes + array.size() * sizeof(*array.data()));
}

/// A tensor of `numbers`, F16 if that is exact, else F32.
static OwnedTensor floatTensor(const std::string &name,
                               const std::vector<float> &numbers) {
  OwnedTensor tensor = {
      name, "F32", {static_cast<int64_t>(numbers.size())}, {}};
  std::vector<uint16_t> halves(numbers.size());
  if (!floatsToHalves(numbers.data(), numbers.size(), halves.data())) {
    tensor.bytes = bytesOf(numbers);
    return tensor;
  }
  tensor.dtype = "F16";
  tensor.bytes = bytesOf(halves);
  return tensor;
}

std::vector<int32_t> model::shiftedZeros(const Layer &layer, int delta) {
  Codec codec = layer.codec();
  int64_t words = codec.words(layer.outFeatures);
  std::vector<int32_t> shifted(layer.qzeros.size());
  for (int64_t g = 0; g < layer.groups; ++g)
    for (int64_t n = 0; n < layer.outFeatures; ++n)
      codec.put(&shifted[g * words], 1, n,
                (codec.get(&layer.qzeros[g * words], 1, n) +
                 static_cast<uint32_t>(delta)) &
                    codec.maxCode());
  return shifted;
}

std::vector<OwnedTensor> model::gptqTensors(const std::string &prefix,
                                            const Layer &layer, Format format) {
  int64_t K = layer.inFeatures, N = layer.outFeatures, G = layer.groups;
  Codec codec = layer.codec();
  std::vector<OwnedTensor> tensors = {
      {prefix + ".qweight", "I32", {codec.words(K), N}, bytesOf(layer.qweight)},
      {prefix + ".qzeros",
       "I32",
       {G, codec.words(N)},
       bytesOf(format == Format::Gptq ? layer.qzeros : shiftedZeros(layer, 1))},
      {prefix + ".scales",
       layer.scaleType() == DType::F16 ? "F16" : "F32",
       {G, N},
       layer.scaleBytes().vec()},
      {prefix + ".g_idx", "I32", {K}, bytesOf(layer.gIdx)}};
  if (!layer.bias.empty())
    tensors.push_back(floatTensor(prefix + ".bias", layer.bias));
  return tensors;
}
