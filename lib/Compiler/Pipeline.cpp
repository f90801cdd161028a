//===- Compiler/Pipeline.cpp - The stages of a compilation ----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Pipeline.h.
//
//===----------------------------------------------------------------------===//

#include "Compiler/Pipeline.h"
#include "Conversion/Passes.h"
#include "Transforms/Passes.h"
#include "mlir/Pass/PassOptions.h"
#include "mlir/Pass/PassRegistry.h"

using namespace nibble;

/// Checks that `options.schedule` is a schedule for `options.target`.
static Status checkSchedule(const PipelineOptions &options) {
  const std::string &name = options.schedule;
  for (auto [word, given] :
       {std::pair("overlap=1", options.config.overlap > 0),
        std::pair("splits", options.config.splits > 1),
        std::pair("prefetch=0",
                  options.config.packed && !options.config.prefetch)})
    if (given && options.target.capability < 90)
      return Status(ErrorCode::InvalidArgument,
                    std::string(word) +
                        " needs sm_90a or later; the target is " +
                        options.target.name);
  if (options.config.held && options.target.isHost())
    return Status(ErrorCode::InvalidArgument,
                  "held=1 needs a GPU; the target is host");
  if (options.config.held && name == "mma")
    return Status(ErrorCode::InvalidArgument,
                  "held=1 is not for the schedule mma");
  if (options.config.wgmma && options.target.name != "sm_90a")
    return Status(ErrorCode::InvalidArgument,
                  "wgmma=1 needs sm_90a; the target is " + options.target.name);
  if (name == "auto" ||
      (options.target.isHost()
           ? name == "host"
           : name == "simt" || name == "mma" || name == "mma_packed"))
    return Status();
  return Status(
      ErrorCode::InvalidArgument,
      "there is no schedule '" + name + "' for target " + options.target.name +
          "; it takes auto, " +
          (options.target.isHost() ? "host" : "simt, mma, mma_packed"));
}

Result<PipelineOptions> nibble::optionsFor(const CompileRequest &request) {
  Result<KernelConfig> config = KernelConfig::parse(request.config);
  if (!config.ok())
    return config.status();
  Result<TargetSpec> target = TargetSpec::parse(request.target);
  if (!target.ok())
    return target.status();
  PipelineOptions options = {std::move(*config), std::move(*target),
                             request.schedule};
  if (Status status = checkSchedule(options); !status.ok())
    return status;
  return options;
}

static void addSpecialise(mlir::OpPassManager &manager,
                          const PipelineOptions &options) {
  manager.addPass(createSpecialise({options.config.str()}));
}

static void addSchedule(mlir::OpPassManager &manager,
                        const PipelineOptions &options) {
  int warps = options.config.warps;
  bool overlap = options.config.overlap > 0;
  int64_t sharedBytes = options.target.sharedBytes;
  if (options.target.isHost())
    manager.addPass(createScheduleHost({options.target.vectorBits}));
  else if (options.schedule == "simt")
    manager.addPass(
        createScheduleSimt({warps, overlap, options.config.held, sharedBytes}));
  else if (options.schedule == "mma")
    manager.addPass(createScheduleMma({warps, sharedBytes}));
  else if (options.schedule == "mma_packed")
    manager.addPass(createScheduleMmaPacked(
        {warps, options.config.stages, options.config.prefetch,
         options.config.splits, options.config.wgmma, overlap,
         options.config.held, sharedBytes}));
  else
    manager.addPass(createScheduleGpu(
        {warps, options.config.stages, options.config.prefetch,
         options.config.splits, options.config.wgmma, overlap,
         options.config.held, sharedBytes}));
}

static void addLower(mlir::OpPassManager &manager,
                     const PipelineOptions &options) {
  manager.addPass(createLowerToLLVM({/*expandBf16=*/options.target.isHost()}));
}

static constexpr MlirStage stages[] = {
    {"specialise", "parameters replaced by the configuration's values",
     addSpecialise},
    {"schedule", "loops, vectors and threads: who computes which elements",
     addSchedule},
    {"lower", "the LLVM dialect, with NVVM's operations on a GPU", addLower},
};

llvm::ArrayRef<MlirStage> nibble::mlirStages() { return stages; }

namespace {
struct RegisteredOptions : mlir::PassPipelineOptions<RegisteredOptions> {
  Option<std::string> config{*this, "config",
                             llvm::cl::desc("The configuration")};
  Option<std::string> target{*this, "target", llvm::cl::desc("The target"),
                             llvm::cl::init("host")};
  Option<std::string> schedule{
      *this, "schedule", llvm::cl::desc("auto, host, simt, mma or mma_packed"),
      llvm::cl::init("auto")};
  Option<std::string> until{*this, "until", llvm::cl::desc("The last stage"),
                            llvm::cl::init("lower")};
};
} // namespace

void nibble::registerPipelines() {
  static mlir::PassPipelineRegistration<RegisteredOptions> pipeline(
      "nibble-pipeline", "The stages of a compilation on MLIR",
      [](mlir::OpPassManager &manager, const RegisteredOptions &registered) {
        CompileRequest request;
        request.config = registered.config;
        request.target = registered.target;
        request.schedule = registered.schedule;
        Result<PipelineOptions> options = optionsFor(request);
        const Status &status = options.status();
        if (!status.ok())
          llvm::reportFatalUsageError(llvm::StringRef(status.message()));
        for (const MlirStage &stage : stages) {
          stage.addPasses(manager, *options);
          if (registered.until == stage.name)
            return;
        }
        llvm::reportFatalUsageError(
            llvm::StringRef("there is no stage '" + registered.until + "'"));
      });
}
