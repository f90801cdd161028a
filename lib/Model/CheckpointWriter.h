//===- Model/CheckpointWriter.h - A new GPTQ checkpoint -------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What conversions and quantizers have in common: layers and other tensors are
// written while they are made, and the checkpoint appears as a whole.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_MODEL_CHECKPOINTWRITER_H
#define NIBBLE_MODEL_CHECKPOINTWRITER_H

#include "Model/TensorWriter.h"
#include "Support/Files.h"
#include <optional>

namespace nibble::model {

/// The folder of a new checkpoint, which is gone again unless finish()
/// succeeds.
class CheckpointWriter {
public:
  /// Begins the new folder `out` for a checkpoint made of the model `from`. If
  /// that is a folder with a config.json, it is read first.
  static Result<CheckpointWriter>
  create(const std::string &out, const std::string &from,
         uint64_t fileBytes = TensorWriter::usualFileBytes);

  /// Adds layer `name`, in `format` Gptq or GptqV2.
  Status add(const std::string &name, const Layer &layer, Format format);
  /// Adds a tensor of the model as it is.
  Status copy(const std::string &name, const FileTensor &tensor);
  /// Writes what is left, `settings` to quantize_config.json, and the model's
  /// config.json with them as its `quantization_config`.
  Status finish(llvm::json::Object settings);

  size_t tensorCount() const { return tensors.tensorCount(); }
  size_t fileCount() const { return tensors.fileCount(); }

private:
  CheckpointWriter(NewFolder folder, uint64_t fileBytes,
                   std::optional<llvm::json::Object> config)
      : folder(std::move(folder)), tensors(this->folder.path(), fileBytes),
        config(std::move(config)) {}
  NewFolder folder;
  TensorWriter tensors;
  /// The model's config.json.
  std::optional<llvm::json::Object> config;
};

} // namespace nibble::model

#endif // NIBBLE_MODEL_CHECKPOINTWRITER_H
