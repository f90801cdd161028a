//===- Compiler/ContextPool.cpp - MLIR contexts, reused -------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See ContextPool.h.
//
//===----------------------------------------------------------------------===//

#include "Compiler/ContextPool.h"
#include "Nibble/Nibble.h"
#include "Support/ForkLock.h"
#include "Target/CodeGen.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <mutex>

using namespace mlir;

namespace {
struct Contexts {
  Contexts() { nibble::holdWhileForking(mutex); }
  std::mutex mutex;
  SmallVector<std::unique_ptr<MLIRContext>> idle;
};
} // namespace

/// Never destroyed: a compilation may run while the process ends.
static Contexts &contexts() {
  static auto *contexts = new Contexts;
  return *contexts;
}

std::unique_ptr<MLIRContext> nibble::takeContext() {
  {
    std::lock_guard lock(contexts().mutex);
    if (!contexts().idle.empty())
      return contexts().idle.pop_back_val();
  }
  DialectRegistry registry;
  registry.insert<nibble::ir::NibbleDialect, arith::ArithDialect,
                  cf::ControlFlowDialect, LLVM::LLVMDialect, math::MathDialect,
                  NVVM::NVVMDialect, scf::SCFDialect, vector::VectorDialect>();
  registerTranslations(registry);
  // Not owned while it is made: what an exception leaves of it is lost, because
  // MLIR's code does not clean up behind one.
  auto *context = new MLIRContext(registry, MLIRContext::Threading::DISABLED);
  context->loadAllAvailableDialects();
  // The operation as text is for the compiler's own developers.
  context->printOpOnDiagnostic(false);
  return std::unique_ptr<MLIRContext>(context);
}

void nibble::giveContext(std::unique_ptr<MLIRContext> context) {
  std::lock_guard lock(contexts().mutex);
  contexts().idle.push_back(std::move(context));
}
