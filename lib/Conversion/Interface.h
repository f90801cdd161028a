//===- Conversion/Interface.h - The interface of a kernel -----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the operation to the description that a launcher reads, which shows no
// type of MLIR.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_CONVERSION_INTERFACE_H
#define NIBBLE_CONVERSION_INTERFACE_H

#include "nibble/Kernel.h"

namespace nibble {

namespace ir {
class KernelOp;
}

/// What a launch of `kernel`, which must be specialised, passes.
KernelInterface interfaceOf(ir::KernelOp kernel);

} // namespace nibble

#endif // NIBBLE_CONVERSION_INTERFACE_H
