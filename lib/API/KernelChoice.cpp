//===- API/KernelChoice.cpp - Which kernel a layer runs
//--------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See KernelChoice.h.
//
//===----------------------------------------------------------------------===//

#include "API/KernelChoice.h"
#include "Transforms/KernelConfig.h"

using namespace nibble;

/// Rows of a block for each bucket: a block computes all of its rows.
static constexpr int64_t blockRows[bucketCount] = {1, 2, 4, 16};

int nibble::bucketOf(int64_t rows) {
  int bucket = 0;
  while (bucket + 1 < bucketCount && blockRows[bucket + 1] <= rows)
    ++bucket;
  return bucket;
}

/// The group size of layers with one group, so that they share kernels
/// whatever their K is.
static constexpr int64_t oneGroup = int64_t(1) << 30;

CompileRequest nibble::hostRequest(const model::Layer &layer, DType type,
                                   int bucket) {
  // Columns of a block: enough for all accumulators of a row, and fewer for
  // more rows, which share them. Rows of K: what unrolled code can bear.
  int64_t blockN = blockRows[bucket] == 1 ? 256 : 128;
  int64_t blockK = 16;
  KernelConfig config;
  bool oneGroupOnly = layer.groups == 1 || layer.actOrder;
  config.params = {{"BITS", layer.bits},
                   {"GROUP_SIZE", oneGroupOnly ? oneGroup : layer.groupSize},
                   {"ACT_ORDER", layer.actOrder},
                   {"HAS_BIAS", !layer.bias.empty()},
                   {"BLOCK_M", blockRows[bucket]},
                   {"BLOCK_N", blockN},
                   {"BLOCK_K", blockK},
                   {"GROUP_M", 8}};
  const char *half = type == DType::BF16 ? "bf16" : "f16";
  config.types = {{"X", dtypeName(type)}, {"T", half}, {"Y", half}};
  // Facts that leave masks out, only where they hold.
  if (layer.outFeatures % blockN == 0)
    config.multiples["N"] = blockN;
  if (layer.inFeatures % blockK == 0)
    config.multiples["K"] = blockK;
  CompileRequest request;
  request.kernel = "matmul_248";
  request.config = config.str();
  request.target = "host";
  return request;
}
