//===- ForwardCheck.h - One call against float64 ----------------*- C++ -*-===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TEST_FORWARDCHECK_H
#define NIBBLE_TEST_FORWARDCHECK_H

#include "Driver/Device.h"
#include "nibble/QuantLinear.h"
#include <random>

namespace nibble::test {

/// What a layer is, in exact numbers.
struct Truth {
  int64_t K, N;
  /// W by columns: k + n K.
  std::vector<double> weights;
  /// [N] or empty.
  std::vector<float> bias;
};

/// Strides of x: dense, rows apart, every second element.
enum class Layout { Dense, Padded, Strided };

struct Call {
  int64_t M;
  DType type;
  Layout layout = Layout::Dense;
};

/// The seed of this run's inputs; NIBBLE_TEST_SEED repeats one.
unsigned seed();

/// Runs layers on random x, on a device (null: the CPU) by a schedule, and
/// checks every element of y and, over many of them, the error as a whole.
class ForwardCheck {
public:
  ForwardCheck(const driver::Device *device, std::string schedule)
      : device(device), schedule(std::move(schedule)) {}

  /// Options for layers to check.
  QuantLinearOptions options() const;
  void check(const QuantLinear &layer, const Truth &truth, Call call,
             std::mt19937 &random);

  int cases() const { return count; }
  /// Prints an object `numerics` in JSON: cases, failures, worst_rel_err (of
  /// fp16 and of bf16) and device.
  void report(const std::string &name) const;

private:
  const driver::Device *device;
  std::string schedule;
  int count = 0, failures = 0;
  double worstHalf = 0, worstBfloat = 0;
};

} // namespace nibble::test

#endif // NIBBLE_TEST_FORWARDCHECK_H
