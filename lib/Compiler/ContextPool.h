//===- Compiler/ContextPool.h - MLIR contexts, reused ---------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loading dialects into a context takes longer than many a kernel. A finished
// compilation leaves its context to the next one; there are as many as there
// have ever been compilations at a time.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_COMPILER_CONTEXTPOOL_H
#define NIBBLE_COMPILER_CONTEXTPOOL_H

#include "mlir/IR/MLIRContext.h"
#include <memory>

namespace nibble {

/// A context with every dialect that a compilation uses, without threads of
/// its own.
std::unique_ptr<mlir::MLIRContext> takeContext();

/// Leaves `context` to the next compilation. Not to be called with a context
/// that LLVM gave up in.
void giveContext(std::unique_ptr<mlir::MLIRContext> context);

} // namespace nibble

#endif // NIBBLE_COMPILER_CONTEXTPOOL_H
