//===- Target/GpuPasses.h - LLVM's passes for a GPU's kernels ---*- C++ -*-===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TARGET_GPUPASSES_H
#define NIBBLE_TARGET_GPUPASSES_H

#include "llvm/IR/PassManager.h"

namespace nibble {

/// What LLVM's O2 pipeline does to a kernel for a GPU, in half of its time:
/// one function without calls, whose loops are there for a reason. It leaves
/// the same PTX but for the order of a few instructions. What the target itself
/// adds to a pipeline's start is not among them.
llvm::ModulePassManager gpuPasses();

} // namespace nibble

#endif // NIBBLE_TARGET_GPUPASSES_H
