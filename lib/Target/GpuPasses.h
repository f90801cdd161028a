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

/// Those of LLVM's O2 pipeline that change a kernel for a GPU: one function
/// without calls, whose loops are there for a reason; nothing is inlined,
/// unrolled or vectorised. What the target itself adds to a pipeline's start is
/// not among them. docs/measurements.md has what they take.
llvm::ModulePassManager gpuPasses();

} // namespace nibble

#endif // NIBBLE_TARGET_GPUPASSES_H
