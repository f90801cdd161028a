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

#include "Model/NamePattern.h"
#include "nibble/Status.h"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nibble::model {

/// How layers lie in tensors; Formats.h says what each is.
enum class Format {
  /// `gptq`: GPTQ's packing, zero points stored minus one.
  Gptq,
  /// `gptq_v2`: the same, zero points stored as they are.
  GptqV2,
  /// `awq`: AutoAWQ's GEMM packing.
  Awq,
  /// `compressed-tensors`: its format pack-quantized.
  CompressedTensors,
};

/// The name above.
const char *formatName(Format format);
/// The format of that name.
Result<Format> parseFormat(llvm::StringRef name);

/// What the layers of a checkpoint, or of a part of it, have in common.
struct LayerSettings {
  int64_t bits = 0;
  /// Rows of a group; -1 for one group of all rows.
  int64_t groupSize = 0;
  /// True if the quantizer says that all zero points are 2^(bits-1).
  bool symmetric = false;
  bool operator==(const LayerSettings &) const = default;
};

/// Settings for layers whose names match: `dynamic` of GPTQ.
struct DynamicRule {
  NamePattern pattern;
  /// Such layers are not quantized.
  bool skip = false;
  std::optional<int64_t> bits, groupSize;
  std::optional<bool> symmetric;

  /// True if both say the same of a layer that matches both.
  bool agrees(const DynamicRule &other) const {
    return skip == other.skip && bits == other.bits &&
           groupSize == other.groupSize && symmetric == other.symmetric;
  }
};

/// A group of layers with settings of its own: `config_groups` of
/// compressed-tensors.
struct TargetGroup {
  /// Names of layers; without any, all other linear layers.
  std::vector<NamePattern> targets;
  bool allLinear = false;
  LayerSettings settings;
};

/// A checkpoint's settings.
struct CheckpointConfig {
  Format format = Format::Gptq;
  /// True if a label says which of GPTQ's two it is.
  bool labelled = false;
  LayerSettings settings;
  std::vector<DynamicRule> dynamic;
  /// If there are any, they take the place of `settings`.
  std::vector<TargetGroup> groups;
  /// Layers that are not quantized, and the key that says so.
  std::vector<NamePattern> skipped;
  std::string skippedKey;

  /// Reads quantize_config.json, quant_config.json or
  /// config.json["quantization_config"] of `folder`, the first that is there.
  /// `format`, if given, overrules what it says of itself. Errors name the file
  /// and the key. Unsupported names what the checkpoint is, if it is none of
  /// the formats above.
  static Result<CheckpointConfig> read(const std::string &folder,
                                       std::optional<Format> format = {});
  /// The settings of layer `name`; an error if rules contradict each other, or
  /// if they say that it is not quantized.
  Result<LayerSettings> settingsOf(const std::string &name) const;
  /// The key that says that layer `name` is not quantized, or null.
  const char *skipOf(const std::string &name) const;
};

} // namespace nibble::model

#endif // NIBBLE_MODEL_CHECKPOINTCONFIG_H
