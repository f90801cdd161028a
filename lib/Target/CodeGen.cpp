//===- Target/CodeGen.cpp - The LLVM dialect to PTX and host code ---------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See CodeGen.h.
//
//===----------------------------------------------------------------------===//

#include "Target/CodeGen.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include <mutex>

using namespace nibble;

void nibble::registerTranslations(mlir::DialectRegistry &registry) {
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
  mlir::registerNVVMDialectTranslation(registry);
}

/// Makes LLVM's code generators known, once.
static void initialiseTargets() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
}

Result<CodeGen> CodeGen::translate(mlir::ModuleOp source,
                                   const TargetSpec &target) {
  initialiseTargets();
  llvm::Triple triple(target.isHost() ? llvm::sys::getProcessTriple()
                                      : "nvptx64-nvidia-cuda");
  std::string error;
  const llvm::Target *backend =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!backend)
    return Status(ErrorCode::Internal,
                  "no code generator for " + triple.str() + ": " + error);
  CodeGen result;
  llvm::TargetOptions options;
  result.machine.reset(backend->createTargetMachine(
      triple, target.cpu, target.features, options,
      target.isHost() ? std::optional(llvm::Reloc::PIC_) : std::nullopt,
      std::nullopt, llvm::CodeGenOptLevel::Default, /*JIT=*/target.isHost()));
  result.context = std::make_unique<llvm::LLVMContext>();
  result.module = mlir::translateModuleToLLVMIR(source, *result.context);
  if (!result.module)
    return Status(ErrorCode::Internal, "the LLVM dialect does not translate");
  result.module->setTargetTriple(triple);
  result.module->setDataLayout(result.machine->createDataLayout());
  if (target.isHost())
    for (llvm::Function &function : *result.module) {
      if (function.isDeclaration())
        continue;
      // The optimiser reads these from functions, not from the machine.
      function.addFnAttr("target-cpu", target.cpu);
      function.addFnAttr("target-features", target.features);
      // Or vectors of 512 bits are cut in two.
      function.addFnAttr("prefer-vector-width",
                         std::to_string(target.vectorBits));
    }
  return result;
}

void CodeGen::optimise() {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager callGraph;
  llvm::ModuleAnalysisManager modules;
  llvm::PipelineTuningOptions tuning;
  // Schedules have vectorised; another attempt costs time and finds nothing.
  tuning.LoopVectorization = false;
  tuning.SLPVectorization = false;
  llvm::PassBuilder builder(machine.get(), tuning);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(callGraph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, callGraph, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2)
      .run(*module, modules);
}

std::string CodeGen::llvmText() const {
  std::string text;
  llvm::raw_string_ostream out(text);
  module->print(out, nullptr);
  return text;
}

Result<std::string> CodeGen::emit(llvm::CodeGenFileType type) {
  llvm::SmallString<0> bytes;
  llvm::raw_svector_ostream out(bytes);
  llvm::legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, out, nullptr, type))
    return Status(ErrorCode::Internal, "the code generator for " +
                                           machine->getTargetTriple().str() +
                                           " cannot write this kind of file");
  passes.run(*module);
  return std::string(bytes.str());
}

Result<std::string> CodeGen::emitAssembly() {
  return emit(llvm::CodeGenFileType::AssemblyFile);
}

Result<std::string> CodeGen::emitObject() {
  return emit(llvm::CodeGenFileType::ObjectFile);
}
