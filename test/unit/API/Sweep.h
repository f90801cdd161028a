//===- Sweep.h - Every kind of layer against float64 ------------*- C++ -*-===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TEST_SWEEP_H
#define NIBBLE_TEST_SWEEP_H

#include "Driver/Device.h"
#include <string>

namespace nibble::test {

/// 275 layers and calls with codes of `bits` bits, group sizes x act-order x
/// bias x types x ragged M, N, K x strides, on `device` (null: the CPU) by
/// `schedule`; each result is held against a float64 product. A reduced sweep
/// has 30 of them, for tools that make kernels many times slower.
void sweep(int bits, const driver::Device *device, const std::string &schedule,
           bool reduced = false);

/// The same for layers loaded from checkpoints: 648 calls (756 of 4 bits), the
/// cross product of formats x symmetric x groups x act-order x ragged shapes x
/// types x rows.
void formatSweep(int bits, const driver::Device *device,
                 const std::string &schedule);

} // namespace nibble::test

#endif // NIBBLE_TEST_SWEEP_H
