//===- Support/Half.h - 16-bit floating-point numbers ---------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// fp16 and bf16 bit patterns to and from float, rounding to nearest even.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_SUPPORT_HALF_H
#define NIBBLE_SUPPORT_HALF_H

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>

namespace nibble {

inline float halfToFloat(uint16_t bits) {
  return static_cast<float>(std::bit_cast<_Float16>(bits));
}
/// A number is no bit pattern.
template <std::floating_point T> float halfToFloat(T) = delete;

inline uint16_t floatToHalf(float value) {
  return std::bit_cast<uint16_t>(static_cast<_Float16>(value));
}

inline float bfloatToFloat(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}
template <std::floating_point T> float bfloatToFloat(T) = delete;

inline uint16_t floatToBfloat(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if (value != value)
    return static_cast<uint16_t>(bits >> 16 | 0x40); // stays not-a-number
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// The same for `count` numbers, many times as fast on x86-64-v3.
void halvesToFloats(const uint16_t *halves, size_t count, float *floats);
/// Likewise. \returns true if fp16 holds each number exactly; not-a-number
/// counts as held.
bool floatsToHalves(const float *floats, size_t count, uint16_t *halves);

} // namespace nibble

#endif // NIBBLE_SUPPORT_HALF_H
