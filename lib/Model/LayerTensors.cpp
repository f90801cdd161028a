//===- Model/LayerTensors.cpp - The tensors of one layer ------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See LayerTensors.h.
//
//===----------------------------------------------------------------------===//

#include "Model/LayerTensors.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace nibble;
using namespace nibble::model;
using llvm::ArrayRef;
using llvm::StringRef;

static std::string spell(ArrayRef<int64_t> shape) {
  return "[" +
         llvm::join(
             llvm::map_range(
                 shape, [](int64_t extent) { return std::to_string(extent); }),
             ", ") +
         "]";
}

Result<ArrayRef<int64_t>>
LayerTensors::shapeOf(const std::string &part,
                      const std::string &expected) const {
  std::string name = layer + "." + part;
  const FileTensor *tensor = find(part);
  if (!tensor)
    return Status(ErrorCode::NotFound, "tensor '" + name + "' is missing");
  if (tensor->shape.size() != 2)
    return Status(ErrorCode::InvalidFile, "tensor '" + name + "' has shape " +
                                              spell(tensor->shape) +
                                              ", expected " + expected);
  return ArrayRef<int64_t>(tensor->shape);
}

Result<const FileTensor *> LayerTensors::check(const std::string &part,
                                               ArrayRef<StringRef> dtypes,
                                               ArrayRef<int64_t> shape) const {
  std::string name = layer + "." + part;
  const FileTensor *tensor = find(part);
  if (!tensor)
    return Status(ErrorCode::NotFound, "tensor '" + name + "' is missing");
  if (!llvm::is_contained(dtypes, StringRef(tensor->dtype)))
    return Status(ErrorCode::Unsupported, "tensor '" + name + "' has dtype " +
                                              tensor->dtype + ", expected " +
                                              llvm::join(dtypes, " or "));
  if (ArrayRef(tensor->shape) != shape)
    return Status(ErrorCode::InvalidFile, "tensor '" + name + "' has shape " +
                                              spell(tensor->shape) +
                                              ", expected " + spell(shape));
  return tensor;
}

template <typename VectorT>
Status LayerTensors::readAs(const std::string &part, StringRef dtype,
                            ArrayRef<int64_t> shape, VectorT &into) const {
  using T = typename VectorT::value_type;
  Result<const FileTensor *> tensor = check(part, dtype, shape);
  if (!tensor.ok())
    return tensor.status();
  into.resize((*tensor)->bytes.size() / sizeof(T));
  return (*tensor)->bytes.read(
      {reinterpret_cast<uint8_t *>(into.data()), into.size() * sizeof(T)});
}

Status LayerTensors::read(const std::string &part, ArrayRef<int64_t> shape,
                          std::vector<int32_t> &into) const {
  return readAs(part, "I32", shape, into);
}

Status LayerTensors::read(const std::string &part, ArrayRef<int64_t> shape,
                          BulkVector<int32_t> &into) const {
  return readAs(part, "I32", shape, into);
}

Status LayerTensors::read(const std::string &part, ArrayRef<int64_t> shape,
                          std::vector<int8_t> &into) const {
  return readAs(part, "I8", shape, into);
}

Status LayerTensors::read(const std::string &part, ArrayRef<int64_t> shape,
                          std::vector<int64_t> &into) const {
  return readAs(part, "I64", shape, into);
}

Status LayerTensors::readFloats(const std::string &part,
                                ArrayRef<int64_t> shape,
                                std::vector<float> &into) const {
  Result<const FileTensor *> tensor =
      check(part, {"F16", "BF16", "F32"}, shape);
  if (!tensor.ok())
    return tensor.status();
  Result<std::vector<float>> numbers = model::readFloats(**tensor);
  if (numbers.ok())
    into = std::move(*numbers);
  return numbers.status();
}

Status LayerTensors::readScales(const std::string &part,
                                ArrayRef<int64_t> shape, Layer &layer) const {
  const FileTensor *tensor = find(part);
  if (tensor && tensor->dtype == "F16")
    return readAs(part, "F16", shape, layer.scales);
  std::vector<float> numbers;
  Status status = readFloats(part, shape, numbers);
  if (status.ok())
    layer.setScales(numbers);
  return status;
}
