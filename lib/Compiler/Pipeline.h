//===- Compiler/Pipeline.h - The stages of a compilation ------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The one list of stages. compile() runs all of it, `nibble compile --emit`
// stops in it, and nibble-opt offers its part on MLIR as a pipeline.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_COMPILER_PIPELINE_H
#define NIBBLE_COMPILER_PIPELINE_H

#include "Target/TargetSpec.h"
#include "Transforms/KernelConfig.h"
#include "mlir/Pass/PassManager.h"
#include "nibble/Compiler.h"

namespace nibble {

/// What a compilation is for.
struct PipelineOptions {
  KernelConfig config;
  TargetSpec target;
  /// auto, host, simt, mma or mma_packed.
  std::string schedule = "auto";
};

/// What `request` asks for apart from its text; the error names the word, the
/// target or the schedule that there is not.
Result<PipelineOptions> optionsFor(const CompileRequest &request);

/// One stage on MLIR: a name, a line of description and its passes.
struct MlirStage {
  const char *name;
  const char *description;
  void (*addPasses)(mlir::OpPassManager &manager,
                    const PipelineOptions &options);
};

/// The stages on MLIR, after `parse`.
llvm::ArrayRef<MlirStage> mlirStages();

/// Registers with nibble-opt the pipeline `nibble-pipeline`, which runs the
/// stages up to and including its option `until`.
void registerPipelines();

} // namespace nibble

#endif // NIBBLE_COMPILER_PIPELINE_H
