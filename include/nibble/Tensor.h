//===- nibble/Tensor.h - Arrays that belong to the caller -----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How a host program hands its memory to nibble: an address, an element type, a
// shape and strides. nibble neither owns nor keeps it beyond the call.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TENSOR_H
#define NIBBLE_TENSOR_H

#include "nibble/DType.h"
#include <cstdint>
#include <vector>

namespace nibble {

/// An array of any rank.
struct TensorView {
  /// The first element; may be null if the array has no elements.
  void *data = nullptr;
  DType type = DType::F16;
  /// Extents, outermost first.
  std::vector<int64_t> shape;
  /// The distance of neighbours along each dimension, in elements, not
  /// negative. Empty stands for a dense row-major array.
  std::vector<int64_t> strides;

  /// A dense row-major array.
  static TensorView dense(void *data, DType type, std::vector<int64_t> shape) {
    return {data, type, std::move(shape), {}};
  }
  /// The same for memory that is only read.
  static TensorView dense(const void *data, DType type,
                          std::vector<int64_t> shape) {
    return {const_cast<void *>(data), type, std::move(shape), {}};
  }

  /// The distance of neighbours along dimension `dim`.
  int64_t stride(size_t dim) const {
    if (!strides.empty())
      return strides[dim];
    int64_t distance = 1;
    for (size_t i = dim + 1; i < shape.size(); ++i)
      distance *= shape[i];
    return distance;
  }
};

} // namespace nibble

#endif // NIBBLE_TENSOR_H
