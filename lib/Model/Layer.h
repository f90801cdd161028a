//===- Model/Layer.h - One quantized linear layer, in memory --------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every checkpoint format is read into this one form before anything else of
// nibble sees it: GPTQ's packing, zero points stored minus one (v1), numbers
// without loss. A kernel therefore knows one format alone.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_MODEL_LAYER_H
#define NIBBLE_MODEL_LAYER_H

#include "Support/BulkMemory.h"
#include "nibble/Codec.h"
#include "nibble/DType.h"
#include "nibble/Status.h"
#include "llvm/ADT/ArrayRef.h"
#include <cstdint>
#include <vector>

namespace nibble::model {

/// A quantized linear layer y = x W + bias in GPTQ's canonical form, where
///
///   W[k, n] = (q[k, n] - z[g, n]) * scale[g, n],  g = gIdx[k],
///   q[k, n] = code k of column n of qweight,
///   z[g, n] = (code n of row g of qzeros + 1) mod 2^bits,
///
/// with codes in words as nibble/Codec.h says. All arrays are row-major and
/// owned.
struct Layer {
  /// Bits of a code: 2, 3, 4 or 8.
  int bits = 0;
  /// Rows of a group; inFeatures when the layer has one group. The last group
  /// has fewer if groupSize does not divide inFeatures. With actOrder a group
  /// may have any rows, and any number of them.
  int64_t groupSize = 0;
  /// K, a multiple of the codec's unit.
  int64_t inFeatures = 0;
  /// N, a multiple of the codec's unit.
  int64_t outFeatures = 0;
  /// G, the rows of scales and qzeros: groupCount(inFeatures, groupSize), or
  /// with actOrder any number up to inFeatures.
  int64_t groups = 0;
  /// True when gIdx is anything but gIdx[k] == k / groupSize.
  bool actOrder = false;
  /// [K * bits / 32, N], codes packed along K. Nearly all of the memory.
  BulkVector<int32_t> qweight;
  /// [G, N * bits / 32], zero points minus one, packed along N.
  std::vector<int32_t> qzeros;
  /// [G, N], fp16 bit patterns, where fp16 holds every scale exactly, as it
  /// does bf16 numbers of ordinary size; else empty.
  std::vector<uint16_t> scales;
  /// [G, N] where fp16 does not; else empty.
  std::vector<float> wideScales;
  /// [K], each in [0, G).
  std::vector<int32_t> gIdx;
  /// [N], or empty for a layer without a bias. f32 holds fp16 and bf16.
  std::vector<float> bias;

  Codec codec() const { return {bits}; }
  /// True if all zero points are 2^(bits-1).
  bool isSymmetric() const;
  /// Fills scales or wideScales from [G, N] numbers.
  void setScales(llvm::ArrayRef<float> numbers);
  /// F16 or F32: which of the two is filled.
  DType scaleType() const {
    return wideScales.empty() ? DType::F16 : DType::F32;
  }
  /// The one that is filled, as memory.
  llvm::ArrayRef<uint8_t> scaleBytes() const;
  /// The scale of group `g` and column `n`.
  float scale(int64_t g, int64_t n) const;
};

/// The group size of kernels for layers with one group, so that these share
/// kernels whatever their K is.
inline constexpr int64_t oneGroup = int64_t(1) << 30;

/// Checks what the comments on Layer's members say and sets actOrder; errors
/// are InvalidArgument and name the member.
Status checkLayer(Layer &layer);

/// Refuses sizes that no layer has: bits, groupSize (-1, or K and more, for one
/// group), K, N. Gives the rows of a group.
Result<int64_t> checkSizes(int64_t bits, int64_t groupSize, int64_t inFeatures,
                           int64_t outFeatures);

/// ceil(K / groupSize).
inline int64_t groupCount(int64_t inFeatures, int64_t groupSize) {
  return (inFeatures + groupSize - 1) / groupSize;
}

} // namespace nibble::model

#endif // NIBBLE_MODEL_LAYER_H
