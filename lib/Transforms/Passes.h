//===- Transforms/Passes.h - Passes from tile IR to tile IR ---------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Passes.td describes each pass.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TRANSFORMS_PASSES_H
#define NIBBLE_TRANSFORMS_PASSES_H

#include "Transforms/KernelConfig.h"
#include "mlir/Pass/Pass.h"

namespace nibble {

#define GEN_PASS_DECL
#include "Transforms/Passes.h.inc"

/// Replaces the names of every kernel in `module` by the values in `config`.
mlir::LogicalResult specialise(mlir::Operation *module,
                               const KernelConfig &config);

#define GEN_PASS_REGISTRATION
#include "Transforms/Passes.h.inc"

} // namespace nibble

#endif // NIBBLE_TRANSFORMS_PASSES_H
