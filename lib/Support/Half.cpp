//===- Support/Half.cpp - Arrays of 16-bit floating-point numbers ---------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Half.h. x86-64 by itself has no conversion of fp16, and a call of a
// function for each number takes twenty times as long as the instructions of
// F16C, which x86-64-v3 has.
//
//===----------------------------------------------------------------------===//

#include "Support/Half.h"

using namespace nibble;

/// Compiled for both, of which one is chosen when the program is loaded. F16C
/// alone cannot be named here, and arch=haswell would be no later processor.
#define NIBBLE_WITH_F16C                                                       \
  __attribute__((target_clones("arch=x86-64-v3", "default")))

NIBBLE_WITH_F16C
void nibble::halvesToFloats(const uint16_t *halves, size_t count,
                            float *floats) {
  for (size_t i = 0; i < count; ++i)
    floats[i] = halfToFloat(halves[i]);
}

NIBBLE_WITH_F16C
bool nibble::floatsToHalves(const float *floats, size_t count,
                            uint16_t *halves) {
  unsigned lost = 0;
  for (size_t i = 0; i < count; ++i) {
    halves[i] = floatToHalf(floats[i]);
    lost |= floats[i] == floats[i] && halfToFloat(halves[i]) != floats[i];
  }
  return !lost;
}
