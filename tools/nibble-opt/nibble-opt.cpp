//===- nibble-opt.cpp - Runs nibble's passes on MLIR text -----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// For tests and for looking at single passes. `nibble compile --emit` shows the
// stages of one compilation.
//
//===----------------------------------------------------------------------===//

#include "Compiler/Pipeline.h"
#include "Conversion/Passes.h"
#include "Nibble/Nibble.h"
#include "Transforms/Passes.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registry.insert<nibble::ir::NibbleDialect, mlir::scf::SCFDialect,
                  mlir::arith::ArithDialect, mlir::LLVM::LLVMDialect,
                  mlir::NVVM::NVVMDialect, mlir::vector::VectorDialect,
                  mlir::math::MathDialect, mlir::cf::ControlFlowDialect>();
  nibble::registerNibbleTransformsPasses();
  nibble::registerNibbleConversionPasses();
  nibble::registerPipelines();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "nibble-opt", registry));
}
