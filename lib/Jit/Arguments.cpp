//===- Jit/Arguments.cpp - The caller's arrays to a launch's words --------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Arguments.h.
//
//===----------------------------------------------------------------------===//

#include "Jit/Arguments.h"
#include "llvm/ADT/STLExtras.h"

using namespace nibble;

static Status refuse(const KernelMatrix &matrix, const std::string &why) {
  return Status(ErrorCode::InvalidArgument,
                "matrix '" + matrix.name + "' " + why);
}

Status nibble::checkMatrix(const KernelMatrix &matrix,
                           const MatrixArgument &argument) {
  int64_t size = static_cast<int64_t>(dtypeSize(matrix.type));
  int64_t alignment = std::max(matrix.alignment, size);
  auto aligned = [&](int64_t bytes) { return bytes % alignment == 0; };
  if (!aligned(reinterpret_cast<intptr_t>(argument.data)))
    return refuse(matrix, "is not aligned to the " + std::to_string(alignment) +
                              " bytes that the kernel was compiled for");
  if (matrix.shape.size() == 2 &&
      (argument.rowStride < 0 ||
       (matrix.alignment > size && !aligned(argument.rowStride * size))))
    return refuse(matrix, "has rows " + std::to_string(argument.rowStride) +
                              " elements apart, which the kernel was not "
                              "compiled for: its alignment is " +
                              std::to_string(alignment) + " bytes");
  if (argument.columnStride < 0 ||
      (!matrix.strided && argument.columnStride != 1))
    return refuse(matrix, "has columns " +
                              std::to_string(argument.columnStride) +
                              " elements apart, and the kernel takes 1");
  return Status();
}

void nibble::fillWords(const KernelInterface &interface,
                       llvm::ArrayRef<MatrixArgument> matrices,
                       llvm::ArrayRef<int64_t> sizes,
                       llvm::SmallVectorImpl<int64_t> &words) {
  for (auto [matrix, argument] :
       llvm::zip_equal(interface.matrices, matrices)) {
    words.push_back(reinterpret_cast<intptr_t>(argument.data));
    if (matrix.shape.size() == 2)
      words.push_back(argument.rowStride);
    if (matrix.strided)
      words.push_back(argument.columnStride);
  }
  words.append(sizes.begin(), sizes.end());
}

Result<MatrixArgument> nibble::bindTensor(const KernelMatrix &matrix,
                                          const TensorView &tensor,
                                          const KernelSizes &sizes) {
  if (tensor.type != matrix.type)
    return refuse(matrix, std::string("has elements of type ") +
                              dtypeName(tensor.type) + ", expected " +
                              dtypeName(matrix.type));
  size_t rank = matrix.shape.size();
  if (tensor.shape.size() != rank ||
      (!tensor.strides.empty() && tensor.strides.size() != rank))
    return refuse(matrix, "has " + std::to_string(tensor.shape.size()) +
                              " extents and " +
                              std::to_string(tensor.strides.size()) +
                              " strides, expected " + std::to_string(rank));
  bool empty = false;
  for (size_t dim = 0; dim < rank; ++dim) {
    Result<int64_t> extent = matrix.shape[dim].evaluate(sizes);
    if (!extent.ok())
      return extent.status().withContext("matrix '" + matrix.name + "'");
    if (tensor.shape[dim] != *extent)
      return refuse(matrix, "has extent " + std::to_string(tensor.shape[dim]) +
                                " in dimension " + std::to_string(dim) +
                                ", expected " + std::to_string(*extent) + " (" +
                                matrix.shape[dim].text + ")");
    empty |= *extent == 0;
  }
  if (!tensor.data && !empty)
    return refuse(matrix, "has no memory");
  MatrixArgument argument;
  argument.data = tensor.data;
  argument.rowStride = rank == 2 ? tensor.stride(0) : 0;
  argument.columnStride = tensor.stride(rank - 1);
  if (Status status = checkMatrix(matrix, argument); !status.ok())
    return status;
  return argument;
}
