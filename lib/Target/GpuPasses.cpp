//===- Target/GpuPasses.cpp - LLVM's passes for a GPU's kernels -----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See GpuPasses.h. They are named one by one, and not as text, because that
// would bring all of LLVM's passes into the library.
//
//===----------------------------------------------------------------------===//

#include "Target/GpuPasses.h"
#include "llvm/Transforms/InstCombine/InstCombine.h"
#include "llvm/Transforms/Scalar/BDCE.h"
#include "llvm/Transforms/Scalar/CorrelatedValuePropagation.h"
#include "llvm/Transforms/Scalar/DivRemPairs.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/GVN.h"
#include "llvm/Transforms/Scalar/IndVarSimplify.h"
#include "llvm/Transforms/Scalar/LICM.h"
#include "llvm/Transforms/Scalar/LoopPassManager.h"
#include "llvm/Transforms/Scalar/LoopRotation.h"
#include "llvm/Transforms/Scalar/Reassociate.h"
#include "llvm/Transforms/Scalar/SCCP.h"
#include "llvm/Transforms/Scalar/SROA.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"

using namespace llvm;

ModulePassManager nibble::gpuPasses() {
  auto withMemory = [](auto... each) {
    LoopPassManager loops;
    (loops.addPass(std::move(each)), ...);
    return createFunctionToLoopPassAdaptor(std::move(loops),
                                           /*UseMemorySSA=*/true);
  };
  LICMOptions where;
  LICMOptions notAhead = where;
  notAhead.AllowSpeculation = false;

  FunctionPassManager passes;
  passes.addPass(SROAPass(SROAOptions::ModifyCFG));
  passes.addPass(EarlyCSEPass(/*UseMemorySSA=*/true));
  passes.addPass(SCCPPass());
  passes.addPass(InstCombinePass());
  passes.addPass(CorrelatedValuePropagationPass());
  passes.addPass(SimplifyCFGPass());
  passes.addPass(ReassociatePass());
  passes.addPass(
      withMemory(LICMPass(notAhead), LoopRotatePass(), LICMPass(where)));
  passes.addPass(InstCombinePass());
  passes.addPass(createFunctionToLoopPassAdaptor(IndVarSimplifyPass()));
  passes.addPass(GVNPass());
  passes.addPass(SCCPPass());
  passes.addPass(BDCEPass());
  passes.addPass(CorrelatedValuePropagationPass());
  passes.addPass(InstCombinePass());
  passes.addPass(withMemory(LICMPass(where)));
  passes.addPass(SimplifyCFGPass(
      SimplifyCFGOptions().hoistCommonInsts(true).sinkCommonInsts(true)));
  passes.addPass(DivRemPairsPass());

  ModulePassManager all;
  all.addPass(createModuleToFunctionPassAdaptor(std::move(passes),
                                                /*EagerlyInvalidate=*/true));
  return all;
}
