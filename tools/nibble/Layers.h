//===- nibble/Layers.h - What commands on layers share ----------*- C++ -*-===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TOOLS_LAYERS_H
#define NIBBLE_TOOLS_LAYERS_H

#include "Model/Checkpoint.h"
#include "nibble/QuantLinear.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

namespace nibble::tool {

/// The numbers of rows in `list`, such as `1,16,256`.
Result<llvm::SmallVector<int64_t>> readRowCounts(const std::string &list);

/// The same with ranges, such as `1:64,4096`, each of which stands for a number
/// of rows of every group that tuning tells apart.
Result<std::vector<int64_t>> readRowRanges(const std::string &list);

/// The type of x called f16, bf16 or f32.
Result<DType> readType(const std::string &name);

/// What an option `--format` says of itself.
inline constexpr char formatHelp[] =
    "gptq, gptq_v2, awq or compressed-tensors, against what the checkpoint "
    "says it is";

/// The layers of a checkpoint to work on: `name`, or all if it is empty.
Result<std::vector<std::string>>
chooseLayers(const model::Checkpoint &checkpoint, const std::string &name);

/// The least time in which `linear` can move `bytes` bytes, in microseconds;
/// 0 on the CPU and where the driver hides the memory's clock.
double floorOf(const QuantLinear &linear, double bytes);

} // namespace nibble::tool

#endif // NIBBLE_TOOLS_LAYERS_H
