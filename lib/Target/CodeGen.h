//===- Target/CodeGen.h - The LLVM dialect to PTX and host code -----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The last three steps of a compilation: to LLVM IR, through LLVM's optimiser,
// and to PTX or an object file in memory. Run them under runGuarded.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TARGET_CODEGEN_H
#define NIBBLE_TARGET_CODEGEN_H

#include "Target/TargetSpec.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectRegistry.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Target/TargetMachine.h"

namespace nibble {

/// Registers what translateToLLVMIR needs.
void registerTranslations(mlir::DialectRegistry &registry);

/// One module on its way from the LLVM dialect to code for one target.
class CodeGen {
public:
  /// Translates `module`, which holds only operations of the LLVM and NVVM
  /// dialects.
  static Result<CodeGen> translate(mlir::ModuleOp module,
                                   const TargetSpec &target);

  /// Puts LLVM IR as text, called `name` in messages, in the module's place.
  Status read(const std::string &text, const std::string &name);
  /// Runs LLVM's optimiser, and calls `report`, if there is one, after each
  /// run of a pass.
  void optimise(const std::function<void(llvm::StringRef pass)> &report);
  /// The module as text.
  std::string llvmText() const;
  /// PTX; the last that is done with the module.
  Result<std::string> emitPtx();
  /// A relocatable object file's bytes, for the host; the last that is done
  /// with the module.
  Result<std::string> emitObject();
  /// Assembly as emitObject() would turn into code, to be read.
  Result<std::string> assemblyText() const;

private:
  Result<std::string> emit(llvm::Module &from,
                           llvm::CodeGenFileType type) const;

  // The module's context must outlive the module.
  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::Module> module;
  std::unique_ptr<llvm::TargetMachine> machine;
};

} // namespace nibble

#endif // NIBBLE_TARGET_CODEGEN_H
