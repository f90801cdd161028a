//===- Model/GptqTensors.h - Layers as a GPTQ checkpoint has them ---------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The way back from the canonical layer to tensors of a file.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_MODEL_GPTQTENSORS_H
#define NIBBLE_MODEL_GPTQTENSORS_H

#include "Model/CheckpointConfig.h"
#include "Model/Layer.h"
#include "Model/Safetensors.h"

namespace nibble::model {

/// A tensor to write, with its bytes.
struct OwnedTensor {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  std::vector<uint8_t> bytes;

  /// The same as the writer takes it; valid as long as this is.
  TensorToWrite view() const { return {name, dtype, shape, bytes}; }
};

/// `prefix`.qweight, .qzeros, .scales, .g_idx, and .bias if the layer has one,
/// in `format` Gptq or GptqV2.
/// Scales and bias are F16 where that holds them exactly, else F32, so that
/// nothing is lost.
std::vector<OwnedTensor> gptqTensors(const std::string &prefix,
                                     const Layer &layer, Format format);

/// The stored zero points of `layer`, `delta` added to each modulo 2^bits.
std::vector<int32_t> shiftedZeros(const Layer &layer, int delta);

} // namespace nibble::model

#endif // NIBBLE_MODEL_GPTQTENSORS_H
