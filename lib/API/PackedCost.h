//===- API/PackedCost.h - How long a pipeline takes ----------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A model of the time of mma_packed with prefetch=0, to rank configurations by
// where nothing was measured. A call that overlaps with those before and after
// it takes about
//
//   (memory^n + cache^n + work^n + flight^n)^(1/n) + late + ends + waves +
//   cluster + holding
//
//   memory   weights, by the rate of the device's memory
//   cache    weights and each block's x, by the rate of L2; of blocks that run
//            together on a multiprocessor in part once
//   work     of the multiprocessor with the most blocks: the larger of what its
//            blocks together issue and multiply and of one warp's way through
//            its steps, once a wave of blocks
//   flight   its steps, as fast as its stages can bring them
//   late     work on what stages hold when all is read
//   ends     of blocks, less where others run beside them; the call's start is
//            hidden by the call before
//   waves    of blocks, beyond the first
//   cluster  what it takes to read each other's sums
//   holding  all of x, where that is done, which comes before the first product
//
// with n between a sum (1) and the longest alone. Its numbers were fitted to an
// NVIDIA H100 80GB HBM3, those of fast memory to an H200; docs/tuning.md says
// how near it comes.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_API_PACKEDCOST_H
#define NIBBLE_API_PACKEDCOST_H

#include "Driver/Device.h"
#include "Layout/PackedProgram.h"

namespace nibble {

/// True if the model takes the memory of `device` for an H200's, else for an
/// H100's: two kinds, so that what is compiled ahead can be for both.
bool hasFastMemory(const driver::DeviceProperties &device);

/// Microseconds of a product of x [rows, K] and W [K, N] by blocks of
/// `program`, a pipeline, `splits` to a cluster.
double pipelineCost(const layout::PackedProgram &program, int splits,
                    int64_t rows, int64_t K, int64_t N,
                    const driver::DeviceProperties &device);

} // namespace nibble

#endif // NIBBLE_API_PACKEDCOST_H
