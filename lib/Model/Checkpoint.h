//===- Model/Checkpoint.h - The quantized layers of a model ---------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tensors and settings of a folder to layers in canonical form.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_MODEL_CHECKPOINT_H
#define NIBBLE_MODEL_CHECKPOINT_H

#include "Model/CheckpointConfig.h"
#include "Model/Layer.h"
#include "Model/TensorFiles.h"

namespace nibble::model {

/// A folder with layers of one of the formats.
class Checkpoint {
public:
  /// Opens `folder`. `format`, if given, overrules what the checkpoint says it
  /// is, and switches the check of that off.
  static Result<Checkpoint> open(const std::string &folder,
                                 std::optional<Format> format = {});
  /// The same with the format's name, which is empty if it is not given.
  static Result<Checkpoint> open(const std::string &folder,
                                 const std::string &formatName);

  /// The prefixes of all quantized layers, in alphabetical order.
  std::vector<std::string> layerNames() const;
  /// Reads layer `name`, as in "model.layers.0.mlp.up_proj". Errors name the
  /// layer and the tensor.
  Result<Layer> load(const std::string &name) const;

  /// True if a quantized layer may have a tensor with the last name `part`.
  bool isLayerPart(llvm::StringRef part) const;

  const CheckpointConfig &config() const { return settings; }
  /// All tensors of the folder.
  const TensorFiles &files() const { return tensors; }

private:
  TensorFiles tensors;
  CheckpointConfig settings;
  bool formatGiven = false;
};

} // namespace nibble::model

#endif // NIBBLE_MODEL_CHECKPOINT_H
