//===- Model/CheckpointConfig.h - How a checkpoint was quantized ----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Quantizers leave their settings in one of three JSON files, under keys that
// differ from tool to tool.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_MODEL_CHECKPOINTCONFIG_H
#define NIBBLE_MODEL_CHECKPOINTCONFIG_H

#include "nibble/Status.h"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nibble::model {

/// How zero points are stored.
enum class ZeroFormat {
  /// Minus one (`gptq`).
  V1,
  /// As they are (`gptq_v2`).
  V2,
};

/// What the layers of a checkpoint, or of a part of it, have in common.
struct LayerSettings {
  int64_t bits = 0;
  /// Rows of a group; -1 for one group of all rows.
  int64_t groupSize = 0;
  /// True if the quantizer says that all zero points are 2^(bits-1).
  bool symmetric = false;
};

/// Settings for layers whose names match.
struct DynamicRule {
  /// A regular expression for the start of a layer's name.
  std::string pattern;
  /// Such layers are not quantized.
  bool skip = false;
  std::optional<int64_t> bits, groupSize;
  std::optional<bool> symmetric;
};

/// A checkpoint's settings.
struct CheckpointConfig {
  LayerSettings settings;
  ZeroFormat format = ZeroFormat::V1;
  std::vector<DynamicRule> dynamic;

  /// Reads quantize_config.json, quant_config.json or
  /// config.json["quantization_config"] of `folder`, the first that is there.
  /// Errors name the file and the key. Unsupported names what the checkpoint
  /// is, if it is not GPTQ's.
  static Result<CheckpointConfig> read(const std::string &folder);
  /// The settings of layer `name`, with the matching rule applied; an error if
  /// two rules match, or if the rule says that it is not quantized.
  Result<LayerSettings> settingsOf(const std::string &name) const;
};

} // namespace nibble::model

#endif // NIBBLE_MODEL_CHECKPOINTCONFIG_H
