//===- nibble/Layers.cpp - What commands on layers share ------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Layers.h"
#include "Driver/Device.h"
#include "Driver/Driver.h"
#include "llvm/ADT/StringExtras.h"

using namespace nibble;
using namespace llvm;

Result<SmallVector<int64_t>> tool::readRowCounts(const std::string &list) {
  SmallVector<int64_t> counts;
  SmallVector<StringRef> words;
  SplitString(list, words, ",");
  for (StringRef word : words) {
    int64_t rows;
    if (word.getAsInteger(10, rows) || rows < 1 || rows > (1 << 20))
      return Status(ErrorCode::InvalidArgument,
                    "--m has '" + word.str() +
                        "'; numbers of rows are 1 to 1048576");
    counts.push_back(rows);
  }
  if (counts.empty())
    return Status(ErrorCode::InvalidArgument, "--m is empty");
  return counts;
}

Result<DType> tool::readType(const std::string &name) {
  for (DType type : {DType::F16, DType::BF16, DType::F32})
    if (name == dtypeName(type))
      return type;
  return Status(ErrorCode::InvalidArgument,
                "--dtype is '" + name + "', expected f16, bf16 or f32");
}

Result<std::vector<std::string>>
tool::chooseLayers(const model::Checkpoint &checkpoint,
                   const std::string &name) {
  if (!name.empty())
    return std::vector<std::string>{name};
  std::vector<std::string> names = checkpoint.layerNames();
  if (names.empty())
    return Status(ErrorCode::NotFound, "the checkpoint has no quantized layer");
  return names;
}

double tool::bytesOf(const model::Layer &layer, int64_t rows, DType type) {
  double bytes = 4.0 * (layer.qweight.size() + layer.qzeros.size()) +
                 layer.scaleBytes().size() + 4.0 * layer.bias.size();
  if (layer.actOrder)
    bytes += 4.0 * layer.gIdx.size();
  return bytes +
         static_cast<double>(rows) *
             (layer.inFeatures * dtypeSize(type) + layer.outFeatures * 2.0);
}

double tool::floorOf(const QuantLinear &linear, double bytes) {
  StringRef number = linear.device();
  int ordinal;
  if (!number.consume_front("cuda:") || number.getAsInteger(10, ordinal))
    return 0;
  Result<driver::Driver *> driver = driver::Driver::get();
  if (!driver.ok())
    return 0;
  Result<driver::Device *> device = (*driver)->device(ordinal);
  if (!device.ok())
    return 0;
  const driver::DeviceProperties &properties = (*device)->properties();
  // Two transfers a clock; kHz times bytes are 1e-3 bytes a microsecond.
  double peak =
      2.0 * properties.memoryClockKHz * 1e-3 * properties.memoryBusBits / 8;
  return peak > 0 ? 2.7 + bytes / (0.943 * peak) : 0;
}
