//===- nibble/DType.h - Element types of arrays ---------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The element types of arrays that cross nibble's public interface.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_DTYPE_H
#define NIBBLE_DTYPE_H

#include <cstddef>

namespace nibble {

/// The type of one element of an array.
enum class DType {
  /// IEEE binary16.
  F16,
  /// The upper half of an IEEE binary32.
  BF16,
  /// IEEE binary32.
  F32,
  /// Signed 32-bit integer; also the word that packed codes lie in.
  I32,
};

/// Bytes of one element of `type`.
inline size_t dtypeSize(DType type) {
  return type == DType::F16 || type == DType::BF16 ? 2 : 4;
}

/// The name of `type` in messages and tables: f16, bf16, f32, i32.
inline const char *dtypeName(DType type) {
  switch (type) {
  case DType::F16:
    return "f16";
  case DType::BF16:
    return "bf16";
  case DType::F32:
    return "f32";
  case DType::I32:
    return "i32";
  }
  return "?";
}

} // namespace nibble

#endif // NIBBLE_DTYPE_H
