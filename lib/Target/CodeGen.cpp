//===- Target/CodeGen.cpp - The LLVM dialect to PTX and host code ---------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See CodeGen.h.
//
//===----------------------------------------------------------------------===//

#include "Target/CodeGen.h"
#include "Target/GpuPasses.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/Transforms/Utils/Cloning.h"
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

Status CodeGen::read(const std::string &text, const std::string &name) {
  llvm::SMDiagnostic error;
  auto given = llvm::parseAssemblyString(text, error, *context);
  if (!given)
    return Status(ErrorCode::CompileError,
                  name + ":" + std::to_string(error.getLineNo()) + ":" +
                      std::to_string(error.getColumnNo() + 1) +
                      ": error: " + error.getMessage().str());
  given->setTargetTriple(module->getTargetTriple());
  given->setDataLayout(module->getDataLayout());
  module = std::move(given);
  return Status();
}

void CodeGen::optimise(
    const std::function<void(llvm::StringRef pass)> &report) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager callGraph;
  llvm::ModuleAnalysisManager modules;
  llvm::PipelineTuningOptions tuning;
  // Of the host's code: schedules have vectorised and unrolled; another attempt
  // costs time and finds nothing. (A loop that asks to be unrolled still is.)
  tuning.LoopVectorization = false;
  tuning.SLPVectorization = false;
  tuning.LoopUnrolling = false;
  llvm::PassInstrumentationCallbacks callbacks;
  if (report)
    callbacks.registerAfterPassCallback([&](llvm::StringRef type,
                                            const llvm::Any &,
                                            const llvm::PreservedAnalyses &) {
      llvm::StringRef pass = callbacks.getPassNameForClassName(type);
      if (!pass.empty())
        report(pass);
    });
  llvm::PassBuilder builder(machine.get(), tuning, std::nullopt,
                            report ? &callbacks : nullptr);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(callGraph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, callGraph, modules);
  llvm::ModulePassManager passes;
  if (module->getTargetTriple().isNVPTX()) {
    builder.invokePipelineStartEPCallbacks(passes, llvm::OptimizationLevel::O2);
    passes.addPass(gpuPasses());
  } else {
    passes = builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2);
  }
  passes.run(*module, modules);
}

std::string CodeGen::llvmText() const {
  std::string text;
  llvm::raw_string_ostream out(text);
  module->print(out, nullptr);
  return text;
}

Result<std::string> CodeGen::emit(llvm::Module &from,
                                  llvm::CodeGenFileType type) const {
  llvm::SmallString<0> bytes;
  llvm::raw_svector_ostream out(bytes);
  llvm::legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, out, nullptr, type))
    return Status(ErrorCode::Internal, "the code generator for " +
                                           machine->getTargetTriple().str() +
                                           " cannot write this kind of file");
  passes.run(from);
  return std::string(bytes.str());
}

Result<std::string> CodeGen::emitPtx() {
  return emit(*module, llvm::CodeGenFileType::AssemblyFile);
}

Result<std::string> CodeGen::emitObject() {
  return emit(*module, llvm::CodeGenFileType::ObjectFile);
}

Result<std::string> CodeGen::assemblyText() const {
  // Generating code changes the module.
  std::unique_ptr<llvm::Module> copy = llvm::CloneModule(*module);
  return emit(*copy, llvm::CodeGenFileType::AssemblyFile);
}
