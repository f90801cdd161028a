//===- Model/TensorFiles.h - The tensors of a model's folder --------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A model is one safetensors file, or several with an index that says which
// tensor lies in which. Here they are one set of tensors.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_MODEL_TENSORFILES_H
#define NIBBLE_MODEL_TENSORFILES_H

#include "Model/Safetensors.h"

namespace nibble::model {

/// All tensors of a model; their files are open for as long as this lives.
class TensorFiles {
public:
  /// Opens `path`: a safetensors file, or a folder with
  /// model.safetensors.index.json, or else all .safetensors files of a folder.
  /// Errors: a tensor that the index names and its file lacks, a tensor that
  /// is in two files, a file name that leaves the folder.
  static Result<TensorFiles> open(const std::string &path);

  /// The tensor `name`, or null.
  const FileTensor *find(const std::string &name) const;
  const std::map<std::string, const FileTensor *> &tensors() const {
    return byName;
  }

private:
  Status add(const std::string &path);
  Status openIndex(const std::string &folder, const std::string &indexPath);
  std::vector<std::unique_ptr<SafetensorsFile>> files;
  std::map<std::string, const FileTensor *> byName;
};

} // namespace nibble::model

#endif // NIBBLE_MODEL_TENSORFILES_H
