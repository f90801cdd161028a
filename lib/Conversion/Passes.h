//===- Conversion/Passes.h - Passes from tile IR to the LLVM dialect ------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Passes.td describes each pass; Schedule.h has the schedules as functions.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_CONVERSION_PASSES_H
#define NIBBLE_CONVERSION_PASSES_H

#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Pass/Pass.h"

namespace nibble {

#define GEN_PASS_DECL
#include "Conversion/Passes.h.inc"

/// Lowers the scheduled kernels of `module` to the LLVM dialect; `expandBf16`
/// expands conversions from and to bf16.
mlir::LogicalResult lowerToLLVM(mlir::ModuleOp module, bool expandBf16);

#define GEN_PASS_REGISTRATION
#include "Conversion/Passes.h.inc"

} // namespace nibble

#endif // NIBBLE_CONVERSION_PASSES_H
