//===- API/KernelChoice.h - Which kernel a layer runs
//----------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A layer fixes bits, group size, act-order and bias; a call brings the type of
// x and the number of rows, M. Calls with close M share a kernel: a bucket.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_API_KERNELCHOICE_H
#define NIBBLE_API_KERNELCHOICE_H

#include "Model/Layer.h"
#include "nibble/Compiler.h"

namespace nibble {

/// The number of buckets.
inline constexpr int bucketCount = 4;

/// The bucket of `rows` rows, which must be positive.
int bucketOf(int64_t rows);

/// What to compile for `layer` on the host, x of type `type`, M in `bucket`.
CompileRequest hostRequest(const model::Layer &layer, DType type, int bucket);

} // namespace nibble

#endif // NIBBLE_API_KERNELCHOICE_H
