//===- Model/Pack.h - Codes from and to words -----------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Quantizing on the host, and the layer's meaning written down plainly: what
// everything else is checked against.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_MODEL_PACK_H
#define NIBBLE_MODEL_PACK_H

#include "Model/Layer.h"
#include "llvm/ADT/ArrayRef.h"

namespace nibble::model {

/// An empty layer: zeros everywhere, gIdx[k] = k / groupSize.
Result<Layer> emptyLayer(int64_t bits, int64_t groupSize, int64_t inFeatures,
                         int64_t outFeatures, bool bias);

/// Fills `layer` from a full-precision one. `weight` is [N, K]; `scales` and
/// `zeros` are [N, G]; `gIdx` is [K] or empty for groups in order; `bias` is
/// [N] or empty. As the seed does it, in fp32:
///
///   q = round_half_even((w + zero * scale) / fp16(scale)),
///
/// with the scale stored as fp16(scale), the bias as it is, and q clamped to
/// [0, maxq]. A zero point must be a whole number in [0, maxq]; a scale must be
/// finite and not 0 in fp16.
Status packLayer(Layer &layer, llvm::ArrayRef<float> weight,
                 llvm::ArrayRef<float> scales, llvm::ArrayRef<float> zeros,
                 llvm::ArrayRef<int32_t> gIdx, llvm::ArrayRef<float> bias);

/// Scales and zero points ([N, G] both) by round-to-nearest: the range of each
/// group (the last may have fewer rows), extended to hold 0, divided into maxq
/// steps; symmetric ranges are
/// [-max|w|, max|w|] with zero point 2^(bits-1).
void fitScales(llvm::ArrayRef<float> weight, int64_t inFeatures,
               int64_t outFeatures, int bits, int64_t groupSize, bool symmetric,
               std::vector<float> &scales, std::vector<float> &zeros);

/// W in exact arithmetic, column `n`: (q - z) * scale for each k.
void weightColumn(const Layer &layer, int64_t n,
                  llvm::MutableArrayRef<double> w);

} // namespace nibble::model

#endif // NIBBLE_MODEL_PACK_H
