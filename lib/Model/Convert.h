//===- Model/Convert.h - Any checkpoint as a GPTQ checkpoint --------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Codes, zero points and scales are copied bit for bit, so that the new
// checkpoint means what the old one does. Settings in which a layer differs
// from most become rules under `dynamic`.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_MODEL_CONVERT_H
#define NIBBLE_MODEL_CONVERT_H

#include "Model/Checkpoint.h"
#include "Model/TensorWriter.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace nibble::model {

/// What a conversion wrote.
struct Converted {
  size_t layers = 0;
  size_t tensors = 0;
  size_t files = 0;
  /// Layers whose scales are F32, because fp16 does not hold them.
  size_t wideScales = 0;
};

/// How to convert.
struct ConvertOptions {
  /// Gptq or GptqV2.
  Format to = Format::Gptq;
  /// A file of tensors ends once it has this many bytes.
  uint64_t fileBytes = TensorWriter::usualFileBytes;
  /// Called with each layer's name before it is read.
  llvm::function_ref<void(const std::string &)> progress = nullptr;
};

/// Writes the checkpoint `from`, which lies in `folder`, to the new folder
/// `out`: all of it, or nothing and an error. Tensors that are of no quantized
/// layer go along as they are, and so does config.json, with its
/// `quantization_config` replaced.
Result<Converted> convert(const Checkpoint &from, const std::string &folder,
                          const std::string &out,
                          const ConvertOptions &options);

} // namespace nibble::model

#endif // NIBBLE_MODEL_CONVERT_H
