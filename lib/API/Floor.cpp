//===- API/Floor.cpp - The least time of a call ---------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Floor.h.
//
//===----------------------------------------------------------------------===//

#include "API/Floor.h"

using namespace nibble;

static constexpr double startMicroseconds = 2.7;
/// An H100's, in bytes and in operations a microsecond.
static constexpr double h100Bytes = 3.16e6, h100Operations = 681e6;

double nibble::callBytes(const model::Layer &layer, int64_t rows, DType type) {
  double bytes = 4.0 * (layer.qweight.size() + layer.qzeros.size()) +
                 layer.scaleBytes().size() + 4.0 * layer.bias.size();
  if (layer.actOrder)
    bytes += 4.0 * layer.gIdx.size();
  return bytes +
         static_cast<double>(rows) *
             (layer.inFeatures * dtypeSize(type) + layer.outFeatures * 2.0);
}

double nibble::memoryFloor(double bytes, double peak) {
  return startMicroseconds + bytes / (0.943 * peak);
}

double nibble::peakRate(const driver::DeviceProperties &device) {
  // Two transfers a clock; kHz times bytes are 1e-3 bytes a microsecond.
  return 2.0 * device.memoryClockKHz * 1e-3 * device.memoryBusBits / 8;
}

std::optional<Floors> nibble::floorsOf(const std::string &target, double bytes,
                                       double operations) {
  if (target != "sm_90a")
    return std::nullopt;
  return Floors{startMicroseconds + bytes / h100Bytes,
                operations / h100Operations};
}
