//===- nibble/Kernel.h - What a compiled kernel is passed ------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The interface between a compiled kernel and whoever launches it.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_KERNEL_H
#define NIBBLE_KERNEL_H

#include <cstdint>
#include <string>
#include <vector>

namespace nibble {

/// One 64-bit word of a launch.
struct KernelWord {
  enum Kind {
    /// The address of matrix `name`.
    Address,
    /// The distance of two rows of matrix `name`, in elements.
    RowStride,
    /// The distance of two columns of matrix `name`, in elements.
    ColumnStride,
    /// The size `name`.
    Size,
  };
  Kind kind;
  std::string name;
  bool operator==(const KernelWord &) const = default;
};

/// The words of a launch, in order.
using KernelSignature = std::vector<KernelWord>;

} // namespace nibble

#endif // NIBBLE_KERNEL_H
