//===- Conversion/KernelSignature.h - What a compiled kernel is passed -----===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A kernel's matrices and sizes as a flat list of 64-bit words, the same for
// every schedule, so that a launch is prepared in one way for all of them.
//
// For each matrix in order: its address, the distance of its rows in elements
// if it has two extents, the distance of its columns if it is `strided`. Then
// the sizes in order. matmul_248 is passed 7 addresses, 5 row distances (x,
// qweight, qzeros, scales, y) and the sizes M, N, K, G.
//
// On a GPU each word is a parameter of the entry. On the host the entry gets
// the address of the list and the range of programs to run:
// `void entry(const int64_t *words, int64_t first, int64_t end)`.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_CONVERSION_KERNELSIGNATURE_H
#define NIBBLE_CONVERSION_KERNELSIGNATURE_H

#include "nibble/Kernel.h"

namespace nibble {

namespace ir {
class KernelOp;
}

/// The words that a launch of `kernel` passes, in order.
KernelSignature signatureOf(ir::KernelOp kernel);

} // namespace nibble

#endif // NIBBLE_CONVERSION_KERNELSIGNATURE_H
