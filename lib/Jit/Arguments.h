//===- Jit/Arguments.h - The caller's arrays to a launch's words ----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Everything that a kernel's code takes for granted about its memory is checked
// here, before the launch.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_JIT_ARGUMENTS_H
#define NIBBLE_JIT_ARGUMENTS_H

#include "nibble/Kernel.h"
#include "nibble/Tensor.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

namespace nibble {

/// One matrix of a launch.
struct MatrixArgument {
  void *data = nullptr;
  /// Elements; columnStride is 1 unless the matrix is `strided`.
  int64_t rowStride = 0;
  int64_t columnStride = 1;
};

/// Checks that `argument` is what `matrix` was compiled for: its address and
/// the distance of its rows are multiples of its alignment, and its columns are
/// next to each other unless it is `strided`.
Status checkMatrix(const KernelMatrix &matrix, const MatrixArgument &argument);

/// The words of a launch; `matrices` and `sizes` are in the interface's order.
void fillWords(const KernelInterface &interface,
               llvm::ArrayRef<MatrixArgument> matrices,
               llvm::ArrayRef<int64_t> sizes,
               llvm::SmallVectorImpl<int64_t> &words);

/// Checks that `tensor` has the type, the rank and the extents of `matrix` for
/// `sizes` and what checkMatrix checks.
Result<MatrixArgument> bindTensor(const KernelMatrix &matrix,
                                  const TensorView &tensor,
                                  const KernelSizes &sizes);

} // namespace nibble

#endif // NIBBLE_JIT_ARGUMENTS_H
