//===- Model/PackedWeights.h - A layer in the packed order ----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights as tensor cores take them, made once from a layer in checkpoint
// order. Codes lie as Layout/PackedOrder.h says. Scales and zero points lie so
// that the lane that holds columns r and r + 8 of a tile of 16 columns reads
// all of a group that it needs in 8 bytes:
//
//     fp16 [G, ceil(N / 16), 8, 4]      for group g, tile t and r from 0 to 7
//       0   scale of column 16 t + r
//       1   scale of column 16 t + r + 8
//       2   zero point of column 16 t + r, from 0 to maxq as it is subtracted
//       3   zero point of column 16 t + r + 8
//
// Columns beyond N have 0 everywhere.
//
// Act-order. Rows are sorted by group, so that groups are consecutive rows
// again, and columns of x are taken in their order. Where that does not give
// groups of equal size, the layer has no packed order and runs in checkpoint
// order.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_MODEL_PACKEDWEIGHTS_H
#define NIBBLE_MODEL_PACKEDWEIGHTS_H

#include "Model/Layer.h"

namespace nibble::model {

/// A layer's weights in the packed order.
struct PackedWeights {
  /// [ceil(K / unitRows), ceil(N / 16) * unitWords], see Layout/PackedOrder.h.
  std::vector<int32_t> codes;
  /// [G, ceil(N / 16), 8, 4] fp16 bit patterns, see above.
  BulkVector<uint16_t> scalesAndZeros;
  /// [K], the row of the layer that became row k; empty where rows stay.
  std::vector<int32_t> permutation;
  /// Rows of a group.
  int64_t groupRows = 0;
};

/// The rows of a group of `layer` in the packed order, oneGroup for a single
/// one. 0 if kernels cannot read it packed: it has no packed order (see
/// packWeights), its groups are not whole steps of 16 rows, which is what
/// tensor cores multiply at a time, or K or N is not below 2^30.
int64_t packedGroupRows(const Layer &layer);

/// Packs a layer that checkLayer takes. Unsupported for scales that fp16 does
/// not hold, and for an act-order layer whose groups differ in size.
Result<PackedWeights> packWeights(const Layer &layer);

/// A layer in checkpoint order whose groups are consecutive rows.
struct SortedLayer {
  Layer layer;
  /// [K], the row that became row k.
  std::vector<int32_t> permutation;
};

/// Sorts the rows of a layer that checkLayer takes by their groups; rows of a
/// group keep their order. Errors as in packWeights.
Result<SortedLayer> sortRowsByGroup(const Layer &layer);

/// The scales and zero points of `layer`, packed (see above). They do not
/// depend on the order of rows.
BulkVector<uint16_t> packScalesAndZeros(const Layer &layer);

} // namespace nibble::model

#endif // NIBBLE_MODEL_PACKEDWEIGHTS_H
