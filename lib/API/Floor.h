//===- API/Floor.h - The least time of a call -------------------*- C++ -*-===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What no kernel can beat: the time in which a GPU moves a call's bytes, and
// that in which it does its operations. Constants are those of an H100 80GB
// HBM3: cold reads of 8 to 120 MB take 2.7 us and then 3.16 TB/s, which is
// 94.3% of the memory's peak rate, and cuBLAS multiplies 8192^3 in fp16 at 681
// TFLOP/s.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_API_FLOOR_H
#define NIBBLE_API_FLOOR_H

#include "Driver/Device.h"
#include "Model/Layer.h"
#include "nibble/DType.h"
#include <optional>
#include <string>

namespace nibble {

/// Bytes that a call has to move: weights, scales, zero points, x and y.
double callBytes(const model::Layer &layer, int64_t rows, DType type);

/// Microseconds to move `bytes` bytes where the peak rate is `peak` bytes a
/// microsecond.
double memoryFloor(double bytes, double peak);

/// The peak rate of a device's memory, in bytes a microsecond; 0 where the
/// driver hides its clock.
double peakRate(const driver::DeviceProperties &device);

/// The two floors of a call, in microseconds.
struct Floors {
  double memory, operations;
};
/// Those of a call on the GPU that `target` stands for; nothing where its rates
/// were not measured.
std::optional<Floors> floorsOf(const std::string &target, double bytes,
                               double operations);

} // namespace nibble

#endif // NIBBLE_API_FLOOR_H
