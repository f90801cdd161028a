//===- Model/TensorWriter.h - A model's tensors, file by file -------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A large model does not fit in memory twice: tensors are written once there
// are enough of them for a file.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_MODEL_TENSORWRITER_H
#define NIBBLE_MODEL_TENSORWRITER_H

#include "Model/GptqTensors.h"
#include "llvm/Support/JSON.h"

namespace nibble::model {

/// Writes tensors to a folder: model.safetensors, or several files and
/// model.safetensors.index.json.
class TensorWriter {
public:
  static constexpr uint64_t usualFileBytes = uint64_t(4) << 30;

  /// A file ends once it has `fileBytes` bytes.
  TensorWriter(std::string folder, uint64_t fileBytes)
      : folder(std::move(folder)), fileBytes(fileBytes) {}

  Status add(OwnedTensor tensor);
  /// Writes what is left, and the index if there are several files.
  Status finish();

  size_t tensorCount() const { return places.size(); }
  size_t fileCount() const { return files.size(); }

private:
  Status flush();
  std::string folder;
  uint64_t fileBytes, pendingBytes = 0, totalBytes = 0;
  std::vector<OwnedTensor> pending;
  std::vector<std::string> files;
  /// The file of each tensor.
  llvm::json::Object places;
};

} // namespace nibble::model

#endif // NIBBLE_MODEL_TENSORWRITER_H
