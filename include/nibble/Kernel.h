//===- nibble/Kernel.h - What a compiled kernel is passed -----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The interface between a compiled kernel and whoever launches it: matrices,
// sizes, what must divide them, and how many programs there are.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_KERNEL_H
#define NIBBLE_KERNEL_H

#include "nibble/DType.h"
#include "nibble/Export.h"
#include "nibble/Status.h"
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace nibble {

/// Values of a kernel's sizes by name, as in {{"M", 16}, {"N", 4096}}.
using KernelSizes = std::map<std::string, int64_t>;

/// A sum of products of sizes, such as `N / 8` or `K`.
struct NIBBLE_EXPORT SizeExpression {
  struct Term {
    int64_t numerator;
    int64_t denominator;
    /// Size name and power.
    std::vector<std::pair<std::string, int>> powers;
    bool operator==(const Term &) const = default;
  };
  std::vector<Term> terms;
  /// As a kernel's text spells it, for messages.
  std::string text;
  bool operator==(const SizeExpression &) const = default;

  /// The value; an error if a size is missing, a division leaves a rest, or
  /// the value does not fit 63 bits.
  Result<int64_t> evaluate(const KernelSizes &sizes) const;
};

/// One matrix or vector of a kernel.
struct KernelMatrix {
  std::string name;
  DType type;
  /// One or two extents, outermost first.
  std::vector<SizeExpression> shape;
  /// True when columns, too, may lie a stride apart.
  bool strided = false;
  /// Bytes that divide its address and the distance of its rows.
  int64_t alignment = 1;
  /// True when the kernel stores to it.
  bool written = false;
  bool operator==(const KernelMatrix &) const = default;
};

/// One size of a kernel.
struct KernelSize {
  std::string name;
  /// What divides it.
  int64_t multipleOf = 1;
  /// The most it may be.
  int64_t most = std::numeric_limits<int64_t>::max();
  bool operator==(const KernelSize &) const = default;
};

/// One dimension of a kernel's grid: ceil(size / block) blocks.
struct GridDim {
  SizeExpression size;
  int64_t block;
  bool operator==(const GridDim &) const = default;
};

/// One 64-bit word of a launch.
struct KernelWord {
  enum Kind {
    /// The address of a matrix.
    Address,
    /// The distance of two rows of a matrix, in elements.
    RowStride,
    /// The distance of two columns of a matrix, in elements.
    ColumnStride,
    /// A size.
    Size,
  };
  Kind kind;
  /// The matrix's or size's place in KernelInterface.
  size_t index;
  bool operator==(const KernelWord &) const = default;
};

/// What a launch passes and how much it starts.
///
/// Matrices and sizes are passed as a flat list of 64-bit words, the same for
/// every schedule, so that a launch is prepared in one way for all of them:
/// for each matrix its address, the distance of its rows if it has two extents,
/// the distance of its columns if it is strided; then the sizes. matmul_248 is
/// passed 7 addresses, 5 row distances (x, qweight, qzeros, scales, y) and the
/// sizes M, N, K, G.
///
/// On a GPU each word is a parameter of the entry. On the host the entry gets
/// the address of the list and the range of programs to run:
/// `void entry(const int64_t *words, int64_t first, int64_t end)`.
struct NIBBLE_EXPORT KernelInterface {
  std::vector<KernelMatrix> matrices;
  std::vector<KernelSize> sizes;
  std::vector<GridDim> grid;
  bool operator==(const KernelInterface &) const = default;

  /// The words of a launch, in order.
  std::vector<KernelWord> words() const;
  /// The number of programs; an error for sizes that break `sizes`.
  Result<int64_t> programs(const KernelSizes &values) const;
};

} // namespace nibble

#endif // NIBBLE_KERNEL_H
