//===- Model/Pack.cpp - Codes from and to words ---------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Pack.h.
//
//===----------------------------------------------------------------------===//

#include "Model/Pack.h"
#include "Support/Half.h"
#include <algorithm>
#include <cmath>

using namespace nibble;
using namespace nibble::model;

static Status invalid(const std::string &message) {
  return Status(ErrorCode::InvalidArgument, message);
}

Result<Layer> model::emptyLayer(int64_t bits, int64_t groupSize,
                                int64_t inFeatures, int64_t outFeatures,
                                bool bias) {
  Result<int64_t> rows = checkSizes(bits, groupSize, inFeatures, outFeatures);
  if (!rows.ok())
    return rows.status();
  Layer layer;
  layer.bits = static_cast<int>(bits);
  layer.groupSize = *rows;
  layer.inFeatures = inFeatures;
  layer.outFeatures = outFeatures;
  layer.groups = groupCount(inFeatures, *rows);
  layer.qweight.assign(layer.codec().words(inFeatures) * outFeatures, 0);
  layer.qzeros.resize(layer.groups * layer.codec().words(outFeatures));
  layer.scales.resize(layer.groups * outFeatures);
  layer.bias.resize(bias ? outFeatures : 0);
  for (int64_t k = 0; k < inFeatures; ++k)
    layer.gIdx.push_back(static_cast<int32_t>(k / *rows));
  return layer;
}

Status model::packLayer(Layer &target, llvm::ArrayRef<float> weight,
                        llvm::ArrayRef<float> scales,
                        llvm::ArrayRef<float> zeros,
                        llvm::ArrayRef<int32_t> gIdx,
                        llvm::ArrayRef<float> bias) {
  Result<Layer> made =
      emptyLayer(target.bits, target.groupSize, target.inFeatures,
                 target.outFeatures, !bias.empty());
  if (!made.ok())
    return made.status();
  Layer &layer = *made;
  int64_t K = layer.inFeatures, N = layer.outFeatures, G = layer.groups;
  auto check = [](const char *name, size_t has, int64_t needs) {
    return static_cast<int64_t>(has) == needs
               ? Status()
               : invalid(std::string(name) + " has " + std::to_string(has) +
                         " elements, expected " + std::to_string(needs));
  };
  for (Status status : {check("weight", weight.size(), N * K),
                        check("scales", scales.size(), N * G),
                        check("zeros", zeros.size(), N * G),
                        check("g_idx", gIdx.size(), gIdx.empty() ? 0 : K),
                        check("bias", bias.size(), bias.empty() ? 0 : N)})
    if (!status.ok())
      return status;
  if (!gIdx.empty())
    layer.gIdx = gIdx.vec();
  if (Status status = checkLayer(layer); !status.ok())
    return status;

  Codec codec = layer.codec();
  float maxq = static_cast<float>(codec.maxCode());
  int64_t zeroWords = codec.words(N);
  for (int64_t n = 0; n < N; ++n)
    for (int64_t g = 0; g < G; ++g) {
      auto at = [&](const char *name) {
        return std::string(name) + "[" + std::to_string(n) + ", " +
               std::to_string(g) + "] is ";
      };
      float zero = zeros[n * G + g];
      if (!(zero >= 0 && zero <= maxq) || zero != std::rint(zero))
        return invalid(at("zeros") + std::to_string(zero) +
                       "; a zero point is a whole number in [0, " +
                       std::to_string(codec.maxCode()) + "]");
      uint16_t scale = floatToHalf(scales[n * G + g]);
      if (!std::isfinite(halfToFloat(scale)) || halfToFloat(scale) == 0)
        return invalid(at("scales") + std::to_string(scales[n * G + g]) +
                       ", which fp16 does not hold as a number other than 0");
      layer.scales[g * N + n] = scale;
      // A zero point of 0 is stored as maxq, which decodes to 0.
      codec.put(&layer.qzeros[g * zeroWords], 1, n,
                (static_cast<uint32_t>(zero) - 1) & codec.maxCode());
    }
  for (int64_t n = 0; n < N; ++n)
    for (int64_t k = 0; k < K; ++k) {
      int64_t g = layer.gIdx[k];
      float shifted = weight[n * K + k] + zeros[n * G + g] * scales[n * G + g];
      float code = std::rint(shifted / halfToFloat(layer.scales[g * N + n]));
      if (code != code)
        return invalid("weight[" + std::to_string(n) + ", " +
                       std::to_string(k) + "] is not a number");
      codec.put(&layer.qweight[n], N, k,
                static_cast<uint32_t>(std::clamp(code, 0.0f, maxq)));
    }
  layer.bias = bias.vec();
  target = std::move(layer);
  return Status();
}

void model::fitScales(llvm::ArrayRef<float> weight, int64_t inFeatures,
                      int64_t outFeatures, int bits, int64_t groupSize,
                      bool symmetric, std::vector<float> &scales,
                      std::vector<float> &zeros) {
  int64_t groups = groupCount(inFeatures, groupSize);
  float maxq = static_cast<float>(Codec{bits}.maxCode());
  for (int64_t n = 0; n < outFeatures; ++n)
    for (int64_t g = 0; g < groups; ++g) {
      float low = 0, high = 0;
      int64_t first = g * groupSize;
      for (float w : weight.slice(n * inFeatures + first,
                                  std::min(groupSize, inFeatures - first))) {
        low = std::min(low, w);
        high = std::max(high, w);
      }
      if (symmetric) {
        high = std::max(high, -low);
        low = -high;
      }
      // The smallest normal fp16 number, so that the scale of a group of zeros
      // is a number too.
      float scale = std::max((high - low) / maxq, 0x1p-14f);
      scales.push_back(scale);
      zeros.push_back(symmetric
                          ? (maxq + 1) / 2
                          : std::clamp(std::rint(-low / scale), 0.0f, maxq));
    }
}

void model::weightColumn(const Layer &layer, int64_t n,
                         llvm::MutableArrayRef<double> w) {
  int64_t N = layer.outFeatures;
  Codec codec = layer.codec();
  int64_t zeroWords = codec.words(N);
  for (int64_t k = 0; k < layer.inFeatures; ++k) {
    int64_t g = layer.gIdx[k];
    int code = static_cast<int>(codec.get(&layer.qweight[n], N, k));
    uint32_t stored = codec.get(&layer.qzeros[g * zeroWords], 1, n);
    int zero = static_cast<int>((stored + 1) & codec.maxCode());
    w[k] = static_cast<double>(code - zero) *
           static_cast<double>(layer.scale(g, n));
  }
}
