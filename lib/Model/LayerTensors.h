//===- Model/LayerTensors.h - The tensors of one layer --------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tensors of a layer by the last part of their names, checked before they are
// read: type, rank and shape. Errors name the tensor.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_MODEL_LAYERTENSORS_H
#define NIBBLE_MODEL_LAYERTENSORS_H

#include "Model/Layer.h"
#include "Model/TensorFiles.h"

namespace nibble::model {

/// The tensors `layer`.*; the files must outlive this.
class LayerTensors {
public:
  LayerTensors(const TensorFiles &files, std::string layer)
      : files(files), layer(std::move(layer)) {}

  const std::string &layerName() const { return layer; }
  /// Tensor `part`, or null.
  const FileTensor *find(const std::string &part) const {
    return files.find(layer + "." + part);
  }
  /// The shape of tensor `part`, which must be there, with two extents;
  /// `expected` spells them for messages.
  Result<llvm::ArrayRef<int64_t>> shapeOf(const std::string &part,
                                          const std::string &expected) const;
  /// Reads tensor `part`, whose type must be I32 (I8, I64) and whose shape
  /// `shape`.
  Status read(const std::string &part, llvm::ArrayRef<int64_t> shape,
              std::vector<int32_t> &into) const;
  Status read(const std::string &part, llvm::ArrayRef<int64_t> shape,
              BulkVector<int32_t> &into) const;
  Status read(const std::string &part, llvm::ArrayRef<int64_t> shape,
              std::vector<int8_t> &into) const;
  Status read(const std::string &part, llvm::ArrayRef<int64_t> shape,
              std::vector<int64_t> &into) const;
  /// The same of type F16, BF16 or F32.
  Status readFloats(const std::string &part, llvm::ArrayRef<int64_t> shape,
                    std::vector<float> &into) const;
  /// Reads tensor `part` of one of these types as the scales of `layer`.
  Status readScales(const std::string &part, llvm::ArrayRef<int64_t> shape,
                    Layer &layer) const;

private:
  /// Tensor `part`, of one of the types `dtypes` and of shape `shape`.
  Result<const FileTensor *> check(const std::string &part,
                                   llvm::ArrayRef<llvm::StringRef> dtypes,
                                   llvm::ArrayRef<int64_t> shape) const;
  template <typename VectorT>
  Status readAs(const std::string &part, llvm::StringRef dtype,
                llvm::ArrayRef<int64_t> shape, VectorT &into) const;
  const TensorFiles &files;
  std::string layer;
};

} // namespace nibble::model

#endif // NIBBLE_MODEL_LAYERTENSORS_H
