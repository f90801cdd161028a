//===- nibble/Layers.cpp - What commands on layers share ------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Layers.h"
#include "API/Floor.h"
#include "API/KernelChoice.h"
#include "Driver/Device.h"
#include "Driver/Driver.h"
#include "llvm/ADT/StringExtras.h"

using namespace nibble;
using namespace llvm;

static Result<int64_t> readRowCount(StringRef word) {
  int64_t rows;
  if (word.getAsInteger(10, rows) || rows < 1 || rows > (1 << 20))
    return Status(ErrorCode::InvalidArgument,
                  "--m has '" + word.str() +
                      "'; numbers of rows are 1 to 1048576");
  return rows;
}

Result<SmallVector<int64_t>> tool::readRowCounts(const std::string &list) {
  SmallVector<int64_t> counts;
  SmallVector<StringRef> words;
  SplitString(list, words, ",");
  for (StringRef word : words) {
    Result<int64_t> rows = readRowCount(word);
    if (!rows.ok())
      return rows.status();
    counts.push_back(*rows);
  }
  if (counts.empty())
    return Status(ErrorCode::InvalidArgument, "--m is empty");
  return counts;
}

Result<std::vector<int64_t>> tool::readRowRanges(const std::string &list) {
  std::vector<int64_t> counts;
  SmallVector<StringRef> words;
  SplitString(list, words, ",");
  for (StringRef word : words) {
    auto [begin, end] = word.split(':');
    Result<int64_t> first = readRowCount(begin);
    Result<int64_t> last = readRowCount(word.contains(':') ? end : begin);
    if (!first.ok() || !last.ok())
      return first.ok() ? last.status() : first.status();
    if (*first > *last)
      return Status(ErrorCode::InvalidArgument,
                    "--m has the range '" + word.str() + "', which is empty");
    append_range(counts, rowsToTune(*first, *last));
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
  double peak = peakRate((*device)->properties());
  return peak > 0 ? memoryFloor(bytes, peak) : 0;
}
