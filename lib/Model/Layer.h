//===- Model/Layer.h - One quantized linear layer, in memory --------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every checkpoint format is read into this one form before anything else of
// nibble sees it: GPTQ's packing, zero points stored minus one (v1). A kernel
// therefore knows one format alone.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_MODEL_LAYER_H
#define NIBBLE_MODEL_LAYER_H

#include "nibble/Status.h"
#include <cstdint>
#include <vector>

namespace nibble::model {

/// A quantized linear layer y = x W + bias in GPTQ's canonical form, where
///
///   W[k, n] = (q[k, n] - z[g, n]) * scale[g, n],  g = gIdx[k],
///   q[k, n] = (qweight[k / P, n] >> bits * (k mod P)) & maxq,
///   z[g, n] = (((qzeros[g, n / P] >> bits * (n mod P)) & maxq) + 1) & maxq,
///
/// with P = 32 / bits codes a word and maxq = 2^bits - 1. All arrays are
/// row-major and owned.
struct Layer {
  /// Bits of a code: 2, 4 or 8.
  int bits = 0;
  /// Rows of a group; inFeatures when the layer has one group. With actOrder a
  /// group may have any rows, and any number of them.
  int64_t groupSize = 0;
  /// K, a multiple of P.
  int64_t inFeatures = 0;
  /// N, a multiple of P.
  int64_t outFeatures = 0;
  /// G, the rows of scales and qzeros: ceil(inFeatures / groupSize), or with
  /// actOrder any number up to inFeatures.
  int64_t groups = 0;
  /// True when gIdx is anything but gIdx[k] == k / groupSize.
  bool actOrder = false;
  /// [K / P, N], codes packed along K, low bits first.
  std::vector<int32_t> qweight;
  /// [G, N / P], zero points minus one, packed along N, low bits first.
  std::vector<int32_t> qzeros;
  /// [G, N], fp16 bit patterns.
  std::vector<uint16_t> scales;
  /// [K], each in [0, G).
  std::vector<int32_t> gIdx;
  /// [N] fp16 bit patterns, or empty for a layer without a bias.
  std::vector<uint16_t> bias;
};

/// The group size of kernels for layers with one group, so that these share
/// kernels whatever their K is.
inline constexpr int64_t oneGroup = int64_t(1) << 30;

/// Codes in a 32-bit word.
inline int64_t codesPerWord(int bits) { return 32 / bits; }

/// The largest code.
inline uint32_t maxCode(int bits) { return (1u << bits) - 1; }

/// Checks what the comments on Layer's members say and sets actOrder; errors
/// are InvalidArgument and name the member.
Status checkLayer(Layer &layer);

/// Refuses sizes that no layer has: bits, groupSize (-1 for one group), K, N.
/// Gives the rows of a group.
Result<int64_t> checkSizes(int64_t bits, int64_t groupSize, int64_t inFeatures,
                           int64_t outFeatures);

} // namespace nibble::model

#endif // NIBBLE_MODEL_LAYER_H
