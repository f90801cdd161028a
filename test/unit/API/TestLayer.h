//===- TestLayer.h - Random layers and their exact results ----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TEST_TESTLAYER_H
#define NIBBLE_TEST_TESTLAYER_H

#include "Model/Layer.h"
#include "Model/Pack.h"
#include "Support/Half.h"
#include "nibble/QuantLinear.h"
#include <algorithm>
#include <cmath>
#include <random>

namespace nibble::test {

/// How groups are given.
enum class Groups { None, InOrder, Shuffled };

/// A layer of random codes, zero points, scales (`scaleType` F16 or F32) and
/// bias.
inline model::Layer randomLayer(std::mt19937 &random, int bits,
                                int64_t groupSize, int64_t K, int64_t N,
                                Groups groups, bool bias,
                                DType scaleType = DType::F16) {
  Result<model::Layer> made = model::emptyLayer(bits, groupSize, K, N, bias);
  model::Layer layer = std::move(*made);
  std::uniform_real_distribution<float> scale(0.002f, 0.02f);
  std::normal_distribution<float> normal;
  for (int32_t &word : layer.qweight)
    word = static_cast<int32_t>(random());
  for (int32_t &word : layer.qzeros)
    word = static_cast<int32_t>(random());
  std::vector<float> scales(layer.scales.size());
  for (float &each : scales) {
    each = scale(random);
    if (scaleType == DType::F16)
      each = halfToFloat(floatToHalf(each));
  }
  layer.setScales(scales);
  for (float &each : layer.bias)
    each = normal(random);
  if (groups == Groups::Shuffled)
    std::shuffle(layer.gIdx.begin(), layer.gIdx.end(), random);
  return layer;
}

inline TensorView view(llvm::ArrayRef<int32_t> data,
                       std::vector<int64_t> shape) {
  return TensorView::dense(data.data(), DType::I32, std::move(shape));
}

/// The arrays of `layer`, as a host program gives them.
inline QuantLinearArrays arraysOf(const model::Layer &layer, bool gIdx) {
  Codec codec{layer.bits};
  int64_t K = layer.inFeatures, N = layer.outFeatures;
  QuantLinearArrays arrays;
  arrays.bits = layer.bits;
  arrays.groupSize = layer.groupSize;
  arrays.qweight = view(layer.qweight, {codec.words(K), N});
  arrays.qzeros = view(layer.qzeros, {layer.groups, codec.words(N)});
  arrays.scales = TensorView::dense(layer.scaleBytes().data(),
                                    layer.scaleType(), {layer.groups, N});
  if (gIdx)
    arrays.gIdx = view(layer.gIdx, {K});
  if (!layer.bias.empty())
    arrays.bias = TensorView::dense(layer.bias.data(), DType::F32, {N});
  return arrays;
}

/// A number as x holds it, and the bits to store.
inline double storeNumber(DType type, float value, void *base, int64_t at) {
  if (type == DType::F32) {
    static_cast<float *>(base)[at] = value;
    return halfToFloat(floatToHalf(value)); // rounded before the product
  }
  uint16_t bits =
      type == DType::F16 ? floatToHalf(value) : floatToBfloat(value);
  static_cast<uint16_t *>(base)[at] = bits;
  return type == DType::F16 ? halfToFloat(bits) : bfloatToFloat(bits);
}

/// Sums of squares for ||y - ref|| / ||ref||.
struct Error {
  double difference = 0, reference = 0;
  void add(double y, double exact) {
    difference += (y - exact) * (y - exact);
    reference += exact * exact;
  }
  double relative() const {
    return std::sqrt(difference / (reference > 0 ? reference : 1));
  }
};

} // namespace nibble::test

#endif // NIBBLE_TEST_TESTLAYER_H
