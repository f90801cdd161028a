//===- Model/Formats.h - From each format to the canonical layer ----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tensors of a layer `l` of K inputs, N outputs, G groups and b bits:
//
//   gptq, gptq_v2
//     l.qweight             i32 [K b / 32, N], nibble/Codec.h along K
//     l.qzeros              i32 [G, N b / 32], the same along N; gptq stores
//                           zero points minus one, gptq_v2 as they are
//     l.scales              [G, N]
//     l.g_idx               i32 [K], may be absent
//   awq (4 bits, AutoAWQ's GEMM)
//     l.qweight             i32 [K, N / 8]: the nibbles of a word, low first,
//                           are of columns 0, 2, 4, 6, 1, 3, 5, 7 of its eight
//     l.qzeros              i32 [G, N / 8], in the same order, as they are
//     l.scales              [G, N]
//   compressed-tensors (pack-quantized), P = floor(32 / b) codes a word
//     l.weight_packed       i32 [N, ceil(K / P)], low bits first; codes are
//                           signed numbers plus 2^(b-1)
//     l.weight_scale        [N, G]; [1] for one scale of all
//     l.weight_shape        i64 [2]: N, K
//     l.weight_zero_point   where asymmetric: i32 [ceil(N / P), G], packed
//                           along N, as codes are; or i8 [N, G], signed
//     l.weight_g_idx        i32 [K], may be absent or -1 throughout
//
// Scales, and l.bias [N], which may be absent, are F16, BF16 or F32.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_MODEL_FORMATS_H
#define NIBBLE_MODEL_FORMATS_H

#include "Model/CheckpointConfig.h"
#include "Model/Layer.h"
#include "Model/LayerTensors.h"

namespace nibble::model {

/// Reads a layer of format Gptq or GptqV2. Where `settings` say that it is
/// symmetric, its zero points give the format away: they are believed if
/// nothing else says it (`certainty`), and a contradiction to the checkpoint's
/// label is an error.
enum class Certainty { None, Label, Given };
Result<Layer> readGptq(const LayerTensors &tensors,
                       const LayerSettings &settings, Format format,
                       Certainty certainty);

/// Reads a layer of format Awq.
Result<Layer> readAwq(const LayerTensors &tensors,
                      const LayerSettings &settings);

/// Reads a layer of format CompressedTensors.
Result<Layer> readCompressed(const LayerTensors &tensors,
                             const LayerSettings &settings);

} // namespace nibble::model

#endif // NIBBLE_MODEL_FORMATS_H
