//===- fuzz-kernel.cpp - Parsing the text of a kernel ---------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The input is a kernel's text. What parses and verifies must print as text
// that parses and verifies again, to the same text.
//
//===----------------------------------------------------------------------===//

#include "Compiler/TextBounds.h"
#include "Nibble/Nibble.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Parser/Parser.h"
#include <cstdlib>

using namespace mlir;
using namespace nibble::ir;

/// MLIR is not instrumented: its allocators do not take part in poisoning what
/// they hold, and it keeps for later what it would free at the end.
extern "C" const char *__asan_default_options() {
  return "allow_user_poisoning=0:detect_leaks=0";
}

/// The context that kernels are parsed in, as the compiler makes it; a new one
/// from time to time, because a context keeps every type that it ever saw.
static MLIRContext &context() {
  static std::unique_ptr<MLIRContext> held;
  static int uses = 0;
  if (uses++ % 5000 == 0) {
    DialectRegistry registry;
    registry.insert<NibbleDialect, arith::ArithDialect, cf::ControlFlowDialect,
                    LLVM::LLVMDialect, math::MathDialect, NVVM::NVVMDialect,
                    scf::SCFDialect, vector::VectorDialect>();
    held = std::make_unique<MLIRContext>(registry,
                                         MLIRContext::Threading::DISABLED);
    held->loadAllAvailableDialects();
    held->printOpOnDiagnostic(false);
  }
  return *held;
}

static std::string printed(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream out(text);
  module.print(out);
  return text;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ParserConfig config(&context());
  ScopedDiagnosticHandler quiet(config.getContext(),
                                [](Diagnostic &) { return success(); });
  // MLIR's lexer looks at the byte behind the text, and the compiler's is a
  // string.
  std::string text(reinterpret_cast<const char *>(data), size);
  if (!nibble::checkTextBounds(text, "kernel").ok())
    return 0;
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, config);
  if (!module)
    return 0;
  module->walk([](KernelOp kernel) {
    for (unsigned i = 0; i < kernel.getBody().getNumArguments(); ++i)
      (void)kernel.getArgAlignment(i);
    for (auto dim : kernel.getGrid().getAsRange<GridDimAttr>())
      (void)kernel.knownDivisor(dim.getSize());
  });
  std::string first = printed(*module);
  OwningOpRef<ModuleOp> again = parseSourceString<ModuleOp>(first, config);
  if (!again || printed(*again) != first)
    std::abort();
  return 0;
}
