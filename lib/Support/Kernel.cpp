//===- Support/Kernel.cpp - What a compiled kernel is passed --------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See nibble/Kernel.h.
//
//===----------------------------------------------------------------------===//

#include "nibble/Kernel.h"
#include "Support/OutOfMemory.h"

using namespace nibble;

static Status invalid(std::string message) {
  return Status(ErrorCode::InvalidArgument, std::move(message));
}

Result<int64_t> SizeExpression::evaluate(const KernelSizes &sizes) const try {
  Status tooLarge = invalid("'" + text + "' does not fit 63 bits");
  int64_t sum = 0;
  for (const Term &term : terms) {
    int64_t value = term.numerator, divisor = term.denominator;
    for (const auto &[name, power] : term.powers) {
      auto found = sizes.find(name);
      if (found == sizes.end())
        return invalid("size '" + name + "' has no value");
      int64_t &factor = power > 0 ? value : divisor;
      for (int i = 0; i < std::abs(power); ++i)
        if (__builtin_mul_overflow(factor, found->second, &factor))
          return tooLarge;
    }
    if (divisor == 0 || value % divisor != 0)
      return invalid("'" + text + "' is not a whole number: " +
                     std::to_string(value) + " / " + std::to_string(divisor));
    if (__builtin_add_overflow(sum, value / divisor, &sum))
      return tooLarge;
  }
  return sum;
} catch (...) {
  return caughtOutOfMemory();
}

std::vector<KernelWord> KernelInterface::words() const {
  std::vector<KernelWord> words;
  for (size_t i = 0; i < matrices.size(); ++i) {
    words.push_back({KernelWord::Address, i});
    if (matrices[i].shape.size() == 2)
      words.push_back({KernelWord::RowStride, i});
    if (matrices[i].strided)
      words.push_back({KernelWord::ColumnStride, i});
  }
  for (size_t i = 0; i < sizes.size(); ++i)
    words.push_back({KernelWord::Size, i});
  return words;
}

Result<int64_t> KernelInterface::programs(const KernelSizes &values) const try {
  for (const KernelSize &size : sizes) {
    auto found = values.find(size.name);
    if (found == values.end())
      return invalid("size '" + size.name + "' has no value");
    if (found->second < 0)
      return invalid("size '" + size.name + "' is " +
                     std::to_string(found->second) + ", which is negative");
    if (found->second % size.multipleOf != 0)
      return invalid("size '" + size.name + "' is " +
                     std::to_string(found->second) +
                     ", but the kernel was compiled for multiples of " +
                     std::to_string(size.multipleOf));
    if (found->second > size.most)
      return invalid("size '" + size.name + "' is " +
                     std::to_string(found->second) +
                     ", but the kernel was compiled for at most " +
                     std::to_string(size.most));
  }
  int64_t count = 1;
  for (const GridDim &dim : grid) {
    Result<int64_t> size = dim.size.evaluate(values);
    if (!size.ok())
      return size.status();
    int64_t blocks = *size / dim.block + (*size % dim.block != 0);
    if (__builtin_mul_overflow(count, blocks, &count))
      return invalid("the number of programs does not fit 63 bits");
  }
  return count;
} catch (...) {
  return caughtOutOfMemory();
}
