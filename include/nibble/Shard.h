//===- nibble/Shard.h - Cutting layers for tensor parallelism -------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A layer y = x W + bias of K inputs and N outputs, cut for `world` ranks:
//
//   Column   Rank r has the columns [n0, n1) of W and bias. It is given all of
//            x; the ranks' y, next to each other, are the layer's.
//   Row      Rank r has rows of W, and the bias if r is 0. It is given those
//            columns of x; the ranks' y, added up, are the layer's.
//
// Cuts lie at r * U / world units, rounded down, of the U units that K or N
// has; a unit is the least number of codes that fills whole words
// (nibble/Codec.h). So every rank has K / world rows or N / world columns where
// that is a whole number of units, and one unit more or less where it is not.
// Scales and zero points go with their groups. A cut inside a group gives both
// sides a part of it.
//
// Rows of an act-order layer are sorted by group before they are cut, or every
// rank would need the scales of nearly all groups. Rank r is then given columns
// of x from all over: x_r[:, i] = x[:, inputRows[i]], where inputRows is what
// QuantLinear::inputRows() gives. A caller that computes x by another linear
// layer does best to permute that layer's columns once.
//
// Layers are fused after they are cut, not before: the columns [0, N / world)
// of q, k and v side by side are q's.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_SHARD_H
#define NIBBLE_SHARD_H

namespace nibble {

/// What a layer is cut along.
enum class ShardAxis {
  /// Outputs, N.
  Column,
  /// Inputs, K.
  Row,
};

} // namespace nibble

#endif // NIBBLE_SHARD_H
