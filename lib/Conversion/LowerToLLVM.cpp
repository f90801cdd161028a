//===- Conversion/LowerToLLVM.cpp - Scheduled kernels to the LLVM dialect -===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Schedules leave loops, arithmetic and vectors around LLVM loads and stores;
// upstream's conversions take them to the LLVM dialect. Two conversions
// instead of upstream's five passes: structured control flow first, since its
// blocks must exist before their arguments change type, then all the rest.
//
//===----------------------------------------------------------------------===//

#include "Conversion/Passes.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/Transforms/LoweringPatterns.h"
#include "mlir/Transforms/DialectConversion.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

using namespace mlir;

namespace nibble {
#define GEN_PASS_DEF_LOWERTOLLVM
#include "Conversion/Passes.h.inc"
} // namespace nibble

LogicalResult nibble::lowerToLLVM(ModuleOp module, bool expandBf16) {
  MLIRContext *context = module.getContext();

  RewritePatternSet expansions(context);
  arith::populateCeilFloorDivExpandOpsPatterns(expansions);
  if (expandBf16)
    arith::populateExpandBFloat16Patterns(expansions);
  walkAndApplyPatterns(module, std::move(expansions));

  RewritePatternSet controlFlow(context);
  populateSCFToControlFlowConversionPatterns(controlFlow);
  ConversionTarget noLoops(*context);
  noLoops.addIllegalDialect<scf::SCFDialect>();
  noLoops.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
  if (failed(applyPartialConversion(module, noLoops, std::move(controlFlow))))
    return failure();

  LLVMTypeConverter types(context);
  RewritePatternSet rest(context);
  arith::populateArithToLLVMConversionPatterns(types, rest);
  cf::populateControlFlowToLLVMConversionPatterns(types, rest);
  populateMathToLLVMConversionPatterns(types, rest);
  populateVectorToLLVMConversionPatterns(types, rest);
  ConversionTarget onlyLLVM(*context);
  onlyLLVM.addLegalDialect<LLVM::LLVMDialect, NVVM::NVVMDialect>();
  onlyLLVM.addLegalOp<ModuleOp>();
  return applyFullConversion(module, onlyLLVM, std::move(rest));
}

namespace {
struct LowerToLLVM : nibble::impl::LowerToLLVMBase<LowerToLLVM> {
  using LowerToLLVMBase::LowerToLLVMBase;
  void runOnOperation() override {
    if (failed(nibble::lowerToLLVM(getOperation(), expandBf16)))
      signalPassFailure();
  }
};
} // namespace
