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
#include "Compiler/Inspection.h"
#include "Compiler/Pipeline.h"
#include "Compiler/RequestKey.h"
#include "Compiler/TextBounds.h"
#include "Conversion/Interface.h"
#include "Conversion/Schedule.h"
#include "Nibble/Nibble.h"
#include "Support/OutOfMemory.h"
#include "Target/CodeGen.h"
#include "Target/Guard.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassInstrumentation.h"
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
  names.emplace_back("optimise",
                     "LLVM IR after O2 (host) or GpuPasses.h (GPU)");
  if (target == "host")
    names.emplace_back("asm", "assembly of this machine");
  else
    names.emplace_back("ptx", "PTX");
  return names;
}

namespace {

/// Which text a compilation is for; without any it is for the code.
struct Until {
  /// The stage that leaves it.
  std::string_view stage;
  /// The pass after whose runs it is printed.
  std::string_view pass;
};

/// One compilation, up to a stage.
class Compilation {
public:
  Compilation(const CompileRequest &request, PipelineOptions options)
      : request(request), options(std::move(options)), inspection(request) {
    kernel.target = this->options.target.name;
    kernel.config = this->options.config.str();
  }

  /// Runs the stages; leaves in `text` what `until` asks for, or the code in
  /// `kernel.code` if it asks for nothing.
  Status run(mlir::MLIRContext &context, const Until &until);

  /// Frees the module, while its context is still there.
  void dropModule() { module = nullptr; }

  std::string text;
  CompiledKernel kernel;
  /// With Until::pass, the passes that have run, each once.
  std::vector<std::string> passes;

private:
  Status parse(mlir::MLIRContext &context);
  Status isolateKernel();
  Status describe();
  Status runStages(const Until &until);
  Status runPasses(const MlirStage &stage, const Until &until);
  Status generatePtx(CodeGen &code, const Until &until);
  Status generateObject(CodeGen &code, const Until &until);
  /// Ends stage `stage`: notes its time, has `read` put a text that overrides
  /// it in its place, and dumps what `print` gives. True if `until` asks for
  /// no more.
  Result<bool>
  finish(const char *stage, const Until &until,
         llvm::function_ref<Status(const Inspection::Override &given)> read,
         llvm::function_ref<std::string()> print);
  Result<bool> finishMlir(const char *stage, const Until &until);
  /// Prints to `text` after a run of pass `pass`, if `until` asks for it.
  void passHasRun(const Until &until, llvm::StringRef pass, const char *comment,
                  llvm::function_ref<std::string()> print);

  const CompileRequest &request;
  PipelineOptions options;
  Inspection inspection;
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

Result<bool> Compilation::finish(
    const char *stage, const Until &until,
    llvm::function_ref<Status(const Inspection::Override &given)> read,
    llvm::function_ref<std::string()> print) {
  auto now = std::chrono::steady_clock::now();
  std::chrono::duration<double, std::milli> spent = now - last;
  kernel.milliseconds.emplace_back(stage, spent.count());
  if (std::optional<Inspection::Override> given =
          inspection.findOverride(stage))
    if (Status status = read(*given); !status.ok())
      return status.withContext(given->path);
  bool ends = until.stage == stage;
  if (ends || inspection.dumps(stage)) {
    std::string printed = print();
    if (inspection.dumps(stage))
      inspection.dump(stage, printed);
    if (ends)
      text = std::move(printed);
  }
  last = std::chrono::steady_clock::now();
  return ends;
}

Result<bool> Compilation::finishMlir(const char *stage, const Until &until) {
  return finish(
      stage, until,
      [&](const Inspection::Override &given) {
        module = mlir::parseSourceString<mlir::ModuleOp>(
            given.text, mlir::ParserConfig(module->getContext()), given.path);
        return module ? Status()
                      : Status(ErrorCode::CompileError, "it does not parse");
      },
      [&] { return printed(*module); });
}

void Compilation::passHasRun(const Until &until, llvm::StringRef pass,
                             const char *comment,
                             llvm::function_ref<std::string()> print) {
  if (!llvm::is_contained(passes, pass))
    passes.push_back(pass.str());
  if (pass == llvm::StringRef(until.pass))
    text += comment + (" after " + pass + "\n").str() + print();
}

Status Compilation::parse(mlir::MLIRContext &context) {
  llvm::StringRef source = kernelText(request);
  if (source.empty()) {
    std::string names;
    for (const auto &[name, embedded] : embeddedKernels())
      names += (names.empty() ? "" : ", ") + name;
    return Status(ErrorCode::NotFound, "there is no kernel '" + request.kernel +
                                           "'; nibble has " + names);
  }
  llvm::StringRef sourceName =
      request.text.empty() ? request.kernel : request.textName;
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
    if (auto splits =
            function->getAttrOfType<mlir::IntegerAttr>(splitsAttrName))
      kernel.splits = static_cast<int>(splits.getInt());
    kernel.overlaps = function->hasAttr(overlapAttrName);
    return Status();
  }
  return Status(ErrorCode::Internal, "no function was scheduled");
}

Status Compilation::run(mlir::MLIRContext &context, const Until &until) {
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

namespace {
/// Reports passes of MLIR that have run.
struct PassObserver : mlir::PassInstrumentation {
  explicit PassObserver(std::function<void(llvm::StringRef pass)> report)
      : report(std::move(report)) {}
  void runAfterPass(mlir::Pass *pass, mlir::Operation *) override {
    if (!pass->getArgument().empty())
      report(pass->getArgument());
  }
  std::function<void(llvm::StringRef pass)> report;
};
} // namespace

Status Compilation::runPasses(const MlirStage &stage, const Until &until) {
  mlir::PassManager manager(module->getContext());
  stage.addPasses(manager, options);
  if (!until.pass.empty())
    manager.addInstrumentation(
        std::make_unique<PassObserver>([&](llvm::StringRef pass) {
          passHasRun(until, pass, "//", [&] { return printed(*module); });
        }));
  if (failed(manager.run(*module)))
    return Status(ErrorCode::CompileError,
                  std::string("stage ") + stage.name + " failed");
  return Status();
}

Status Compilation::runStages(const Until &until) {
  Result<bool> ends = finishMlir("parse", until);
  if (!ends.ok() || *ends)
    return ends.status();
  for (const MlirStage &stage : mlirStages()) {
    if (Status status = runPasses(stage, until); !status.ok())
      return status;
    ends = finishMlir(stage.name, until);
    if (!ends.ok())
      return ends.status();
    // The interface is what specialisation leaves of the kernel.
    if (auto specialised = module->getOps<KernelOp>(); !specialised.empty())
      kernel.interface = interfaceOf(*specialised.begin());
    if (*ends)
      return Status();
  }
  if (Status status = describe(); !status.ok())
    return status;

  Result<CodeGen> code = CodeGen::translate(*module, options.target);
  if (!code.ok())
    return code.status();
  auto read = [&](const Inspection::Override &given) {
    return code->read(given.text, given.path);
  };
  auto print = [&] { return code->llvmText(); };
  ends = finish("llvm", until, read, print);
  if (!ends.ok() || *ends)
    return ends.status();
  std::function<void(llvm::StringRef pass)> report;
  if (!until.pass.empty())
    report = [&](llvm::StringRef pass) { passHasRun(until, pass, ";", print); };
  code->optimise(report);
  ends = finish("optimise", until, read, print);
  if (!ends.ok() || *ends)
    return ends.status();
  return options.target.isHost() ? generateObject(*code, until)
                                 : generatePtx(*code, until);
}

Status Compilation::generatePtx(CodeGen &code, const Until &until) {
  Result<std::string> ptx = code.emitPtx();
  if (!ptx.ok())
    return ptx.status();
  Result<bool> ends = finish(
      "ptx", until,
      [&](const Inspection::Override &given) {
        ptx = given.text;
        return Status();
      },
      [&] { return *ptx; });
  kernel.code = std::move(*ptx);
  return ends.status();
}

Status Compilation::generateObject(CodeGen &code, const Until &until) {
  // Assembly is only there to be read: the code is made without it, and
  // generating either changes the module.
  std::string assembly;
  if (until.stage == "asm" || inspection.dumps("asm")) {
    Result<std::string> text = code.assemblyText();
    if (!text.ok())
      return text.status();
    assembly = std::move(*text);
  }
  Result<std::string> object = code.emitObject();
  if (!object.ok())
    return object.status();
  kernel.code = std::move(*object);
  return finish(
             "asm", until,
             [](const Inspection::Override &) {
               return Status(ErrorCode::Unsupported,
                             "assembly of the host cannot be given; give the "
                             "stage optimise instead");
             },
             [&] { return assembly; })
      .status();
}

/// Runs a compilation for `until` and leaves it in `compilation`.
static Status run(const CompileRequest &request, const Until &until,
                  std::unique_ptr<Compilation> &compilation) {
  Result<PipelineOptions> options = optionsFor(request);
  if (!options.ok())
    return options.status();
  std::unique_ptr<mlir::MLIRContext> context;
  compilation = std::make_unique<Compilation>(request, std::move(*options));
  bool gaveUp = true;
  Status status = runGuarded([&] {
    context = takeContext();
    Status status = compilation->run(*context, until);
    gaveUp = false;
    return status;
  });
  if (gaveUp) {
    // As they were left: nothing in them may be touched again.
    (void)compilation.release();
    (void)context.release();
    return status;
  }
  compilation->dropModule();
  giveContext(std::move(context));
  return status;
}

Result<CompiledKernel> nibble::compile(const CompileRequest &request) try {
  std::unique_ptr<Compilation> compilation;
  if (Status status = run(request, {}, compilation); !status.ok())
    return status;
  return std::move(compilation->kernel);
} catch (...) {
  return caughtOutOfMemory();
}

Result<std::string> nibble::emit(const CompileRequest &request,
                                 std::string_view stage) try {
  std::string names;
  for (const auto &[name, description] : stageNames(request.target))
    names += (names.empty() ? "" : ", ") + name;
  auto known = stageNames(request.target);
  if (llvm::none_of(known, [&](auto &each) { return each.first == stage; }))
    return Status(ErrorCode::InvalidArgument,
                  "there is no stage '" + std::string(stage) + "' for target " +
                      request.target + "; stages are " + names);
  std::unique_ptr<Compilation> compilation;
  if (Status status = run(request, {stage, ""}, compilation); !status.ok())
    return status;
  return std::move(compilation->text);
} catch (...) {
  return caughtOutOfMemory();
}

Result<std::string> nibble::emitAfter(const CompileRequest &request,
                                      std::string_view pass) try {
  std::unique_ptr<Compilation> compilation;
  if (Status status = run(request, {"", pass}, compilation); !status.ok())
    return status;
  if (!compilation->text.empty())
    return std::move(compilation->text);
  return Status(ErrorCode::InvalidArgument,
                "there is no pass '" + std::string(pass) +
                    "' in this compilation; its passes are " +
                    llvm::join(compilation->passes, ", "));
} catch (...) {
  return caughtOutOfMemory();
}
