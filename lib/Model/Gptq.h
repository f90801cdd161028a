//===- Model/Gptq.h - Quantizing with calibration -------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// GPTQ (Frantar et al., arXiv:2210.17323): rows of W (the columns of a weight
// [N, K]) are rounded one after another, and what rounding a row does to
// y = x W on the calibration inputs x is made up for in the rows that are still
// to come. With H = x^T x + damping and U the upper triangle for which
// U^T U = H^-1, row k's rounding error e changes each row j > k by
//
//   W[j] -= e / U[k, k] * U[k, j].
//
// Round-to-nearest is what remains where inputs do not correlate: U is diagonal
// then.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_MODEL_GPTQ_H
#define NIBBLE_MODEL_GPTQ_H

#include "nibble/Status.h"
#include "llvm/ADT/ArrayRef.h"
#include <vector>

namespace nibble::model {

struct GptqOptions {
  int bits = 4;
  /// Rows of a group; K for one group.
  int64_t groupSize = 128;
  /// Zero points in the middle; see fitScales().
  bool symmetric = false;
  /// Added to the diagonal of H, as a share of its mean.
  double damping = 0.01;
  /// Rows with large inputs first. Their groups are then of rows that follow
  /// each other in this order: act-order.
  bool actOrder = false;
  /// With actOrder: groups stay those of rows in order, and scales are those of
  /// the weights before any were changed.
  bool staticGroups = false;
};

/// What packLayer() takes: weights [N, K] that the scales and zero points hold
/// exactly, scales and zero points [N, G], groups [K].
struct GptqResult {
  std::vector<float> weight, scales, zeros;
  std::vector<int32_t> gIdx;
};

/// Quantizes `weight` [N, K] for inputs like `inputs` [T, K]. Errors: sizes
/// that do not fit, inputs or a damping that give no positive definite H.
Result<GptqResult> gptq(llvm::ArrayRef<float> weight, int64_t inFeatures,
                        llvm::ArrayRef<float> inputs,
                        const GptqOptions &options);

} // namespace nibble::model

#endif // NIBBLE_MODEL_GPTQ_H
