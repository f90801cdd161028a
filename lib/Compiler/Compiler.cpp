//===- Compiler/Compiler.cpp - Kernel text to code ------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The facade of the compiler and its one seam: diagnostics and LLVM's fatal
// errors become a Status here.
//
//===----------------------------------------------------------------------===//

#include "nibble/Compiler.h"
#include "Compiler/ContextPool.h"
#include "Compiler/Pipeline.h"
#include "Compiler/TextBounds.h"
#include "Conversion/Interface.h"
#include "Conversion/Schedule.h"
#include "Nibble/Nibble.h"
#include "Target/CodeGen.h"
#include "Target/Guard.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FormatVariadic.h"
#include <chrono>

using namespace nibble;
using namespace nibble::ir;

const std::vector<std::pair<std::string, std::string>> &
nibble::embeddedKernels() {
  static const std::vector<std::pair<std::string, std::string>> kernels = {
#include "EmbeddedKernels.inc"
  };
  return kernels;
}

std::vector<std::string> nibble::targetNames() { return TargetSpec::names(); }

std::vector<std::pair<std::string, std::string>>
nibble::stageNames(std::string_view target) {
  std::vector<std::pair<std::string, std::string>> names = {
      {"parse", "the kernel as it is written"}};
  for (const MlirStage &stage : mlirStages())
    names.emplace_back(stage.name, stage.description);
  names.emplace_back("llvm", "LLVM IR");
  names.emplace_back("optimise", "LLVM IR after its O2 pipeline");
  if (target == "host")
    names.emplace_back("asm", "assembly of this machine");
  else
    names.emplace_back("ptx", "PTX");
  return names;
}

namespace {

/// One compilation, up to a stage.
class Compilation {
public:
  Compilation(const CompileRequest &request, PipelineOptions options)
      : request(request), options(std::move(options)) {
    kernel.target = this->options.target.name;
    kernel.config = this->options.config.str();
  }

  /// Runs the stages; leaves the text of stage `until` in `text`, or the code
  /// in `kernel.code` if `until` is empty.
  Status run(mlir::MLIRContext &context, std::string_view until);

  /// Frees the module, while its context is still there.
  void dropModule() { module = nullptr; }

  std::string text;
  CompiledKernel kernel;

private:
  Status parse(mlir::MLIRContext &context);
  Status isolateKernel();
  Status describe();
  Status runStages(std::string_view until);
  /// Notes the time since the last stage.
  void finish(const char *stage);

  const CompileRequest &request;
  PipelineOptions options;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::chrono::steady_clock::time_point last;
};

} // namespace

static std::string printed(mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream out(text);
  module.print(out);
  return text + "\n";
}

void Compilation::finish(const char *stage) {
  auto now = std::chrono::steady_clock::now();
  std::chrono::duration<double, std::milli> spent = now - last;
  kernel.milliseconds.emplace_back(stage, spent.count());
  last = now;
}

Status Compilation::parse(mlir::MLIRContext &context) {
  llvm::StringRef source = request.text, sourceName = request.textName;
  if (source.empty()) {
    std::string names;
    for (const auto &[name, embedded] : embeddedKernels()) {
      names += (names.empty() ? "" : ", ") + name;
      if (name == request.kernel)
        source = embedded;
    }
    if (source.empty())
      return Status(ErrorCode::NotFound, "there is no kernel '" +
                                             request.kernel + "'; nibble has " +
                                             names);
    sourceName = request.kernel;
  }
  if (Status status = checkTextBounds(source, sourceName); !status.ok())
    return status;
  module = mlir::parseSourceString<mlir::ModuleOp>(
      source, mlir::ParserConfig(&context), sourceName);
  if (!module)
    return Status(ErrorCode::CompileError,
                  sourceName.str() + " does not parse");
  return isolateKernel();
}

/// Erases all kernels but the one that is asked for.
Status Compilation::isolateKernel() {
  llvm::SmallVector<KernelOp> kernels(module->getOps<KernelOp>());
  std::string names;
  KernelOp found;
  for (KernelOp each : kernels) {
    names += (names.empty() ? "" : ", ") + each.getSymName().str();
    if (request.kernel.empty() || each.getSymName() == request.kernel)
      found = each;
  }
  if (kernels.empty())
    return Status(ErrorCode::NotFound, request.textName + " has no kernel");
  if (!found)
    return Status(ErrorCode::NotFound, "there is no kernel '" + request.kernel +
                                           "' in " + request.textName +
                                           ", which has " + names);
  if (request.kernel.empty() && kernels.size() > 1)
    return Status(ErrorCode::InvalidArgument,
                  request.textName +
                      " has several kernels, of which one must "
                      "be named: " +
                      names);
  for (KernelOp each : kernels)
    if (each != found)
      each.erase();
  kernel.name = found.getSymName().str();
  return Status();
}

/// Reads what a launch needs from the scheduled function.
Status Compilation::describe() {
  for (auto function : module->getOps<mlir::LLVM::LLVMFuncOp>()) {
    auto schedule = function->getAttrOfType<mlir::StringAttr>(scheduleAttrName);
    if (!schedule)
      continue;
    kernel.schedule = schedule.str();
    if (auto refused =
            function->getAttrOfType<mlir::StringAttr>(mmaRefusedAttrName))
      kernel.mmaRefused = refused.str();
    if (auto threads =
            function->getAttrOfType<mlir::IntegerAttr>(threadsAttrName))
      kernel.threads = static_cast<int>(threads.getInt());
    if (auto bytes =
            function->getAttrOfType<mlir::IntegerAttr>(sharedBytesAttrName))
      kernel.sharedBytes = bytes.getInt();
    return Status();
  }
  return Status(ErrorCode::Internal, "no function was scheduled");
}

Status Compilation::run(mlir::MLIRContext &context, std::string_view until) {
  // What the compiler reports, as `name:line:column: error: message` lines.
  std::string diagnostics;
  mlir::ScopedDiagnosticHandler handler(
      &context, [&](mlir::Diagnostic &diagnostic) {
        llvm::raw_string_ostream out(diagnostics);
        auto print = [&](mlir::Diagnostic &each, const char *kind) {
          if (!diagnostics.empty())
            out << "\n";
          if (auto at =
                  each.getLocation()->findInstanceOf<mlir::FileLineColLoc>())
            out << at.getFilename().getValue() << ":" << at.getLine() << ":"
                << at.getColumn() << ": ";
          out << kind << ": " << each;
        };
        if (diagnostic.getSeverity() != mlir::DiagnosticSeverity::Error)
          return;
        print(diagnostic, "error");
        for (mlir::Diagnostic &note : diagnostic.getNotes())
          print(note, "note");
      });
  last = std::chrono::steady_clock::now();
  Status status = parse(context);
  if (status.ok())
    status = runStages(until);
  if (!status.ok() && !diagnostics.empty())
    return Status(ErrorCode::CompileError, diagnostics);
  return status;
}

Status Compilation::runStages(std::string_view until) {
  mlir::MLIRContext &context = *module->getContext();
  finish("parse");
  if (until == "parse") {
    text = printed(*module);
    return Status();
  }
  for (const MlirStage &stage : mlirStages()) {
    mlir::PassManager manager(&context);
    stage.addPasses(manager, options);
    if (failed(manager.run(*module)))
      return Status(ErrorCode::CompileError,
                    std::string("stage ") + stage.name + " failed");
    // The interface is what specialisation leaves of the kernel.
    if (auto specialised = module->getOps<KernelOp>(); !specialised.empty())
      kernel.interface = interfaceOf(*specialised.begin());
    finish(stage.name);
    if (until == stage.name) {
      text = printed(*module);
      return Status();
    }
  }
  if (Status status = describe(); !status.ok())
    return status;

  Result<CodeGen> code = CodeGen::translate(*module, options.target);
  if (!code.ok())
    return code.status();
  finish("llvm");
  if (until == "llvm") {
    text = code->llvmText();
    return Status();
  }
  code->optimise();
  finish("optimise");
  if (until == "optimise") {
    text = code->llvmText();
    return Status();
  }
  bool asText = !until.empty() || !options.target.isHost();
  Result<std::string> bytes =
      asText ? code->emitAssembly() : code->emitObject();
  if (!bytes.ok())
    return bytes.status();
  finish(options.target.isHost() ? "asm" : "ptx");
  (until.empty() ? kernel.code : text) = std::move(*bytes);
  return Status();
}

/// Runs a compilation up to stage `until`, or all of it if that is empty, and
/// leaves it in `compilation`.
static Status run(const CompileRequest &request, std::string_view until,
                  std::unique_ptr<Compilation> &compilation) {
  PipelineOptions options;
  Result<KernelConfig> config = KernelConfig::parse(request.config);
  if (!config.ok())
    return config.status();
  Result<TargetSpec> target = TargetSpec::parse(request.target);
  if (!target.ok())
    return target.status();
  options.config = std::move(*config);
  options.target = std::move(*target);
  options.schedule = request.schedule;
  if (Status status = checkSchedule(options); !status.ok())
    return status;

  std::unique_ptr<mlir::MLIRContext> context = takeContext();
  compilation = std::make_unique<Compilation>(request, std::move(options));
  bool gaveUp = true;
  Status status = runGuarded([&] {
    Status status = compilation->run(*context, until);
    gaveUp = false;
    return status;
  });
  if (gaveUp) {
    // Left as LLVM left them: nothing in them may be touched again.
    (void)compilation.release();
    (void)context.release();
    return status;
  }
  compilation->dropModule();
  giveContext(std::move(context));
  return status;
}

Result<CompiledKernel> nibble::compile(const CompileRequest &request) {
  std::unique_ptr<Compilation> compilation;
  if (Status status = run(request, "", compilation); !status.ok())
    return status;
  return std::move(compilation->kernel);
}

Result<std::string> nibble::emit(const CompileRequest &request,
                                 std::string_view stage) {
  std::string names;
  for (const auto &[name, description] : stageNames(request.target))
    names += (names.empty() ? "" : ", ") + name;
  auto known = stageNames(request.target);
  if (llvm::none_of(known, [&](auto &each) { return each.first == stage; }))
    return Status(ErrorCode::InvalidArgument,
                  "there is no stage '" + std::string(stage) + "' for target " +
                      request.target + "; stages are " + names);
  std::unique_ptr<Compilation> compilation;
  if (Status status = run(request, stage, compilation); !status.ok())
    return status;
  return std::move(compilation->text);
}
