//===- nibble/Compiler.h - Kernel text to code ----------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiles a kernel written in the nibble dialect for a GPU or for the host.
// Needs no GPU, no CUDA toolkit and no file: kernels are embedded in the
// library or given as text.
//
// A compilation goes through named stages, the same for every use:
//
//   parse       the kernel as it is written
//   specialise  parameters replaced by the configuration's values
//   schedule    loops, vectors and threads: who computes which elements
//   lower       the LLVM dialect (with NVVM's operations on a GPU)
//   llvm        LLVM IR
//   optimise    LLVM IR after O2, of which a GPU's kernels take a part
//   ptx         PTX; on the host this stage is called asm
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_COMPILER_H
#define NIBBLE_COMPILER_H

#include "nibble/Export.h"
#include "nibble/Kernel.h"
#include "nibble/Status.h"
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nibble {

/// What to compile, and what for.
struct CompileRequest {
  /// The kernel's name. May be empty when `text` has one kernel.
  std::string kernel;
  /// MLIR text with the kernel; empty takes an embedded kernel.
  std::string text;
  /// What messages call the text, such as its file's name.
  std::string textName = "kernel";
  /// Values of parameters and facts about sizes, such as
  /// `BITS=4 BLOCK_M=64 X=f16 N%128 x@16 warps=4` (docs/architecture.md).
  std::string config;
  /// One of targetNames().
  std::string target = "host";
  /// auto, host, simt, mma or mma_packed. auto takes host on the host, and on
  /// a GPU mma_packed for packed weights, else mma where it matches, else simt.
  std::string schedule = "auto";
};

/// A kernel's code, with what a launch of it needs.
struct CompiledKernel {
  /// The entry's name in the code.
  std::string name;
  std::string target;
  /// The configuration in its fixed order.
  std::string config;
  /// The schedule taken.
  std::string schedule;
  /// Why auto took simt and not mma; else empty.
  std::string mmaRefused;
  KernelInterface interface;
  /// Threads of a program on a GPU.
  int threads = 0;
  /// Dynamic shared memory of a program on a GPU, in bytes.
  int64_t sharedBytes = 0;
  /// Blocks of a program on a GPU, a cluster if they are several.
  int splits = 1;
  /// True if the kernel waits by itself for the one before it on its stream,
  /// and may be launched while that still runs.
  bool overlaps = false;
  /// PTX, or the bytes of an object file.
  std::string code;
  /// `compiled`, `cache` (from disk) or the name of a file of kernels.
  std::string origin = "compiled";
  /// Milliseconds of each stage, in order; empty if it was not compiled now.
  std::vector<std::pair<std::string, double>> milliseconds;
};

/// Compiles. Errors: CompileError with the text's diagnostics (file, line and
/// column), InvalidArgument for a wrong target, schedule or configuration,
/// NotFound for an unknown kernel. Any number of threads may compile at a time.
NIBBLE_EXPORT Result<CompiledKernel> compile(const CompileRequest &request);

/// The text that stage `stage` leaves (see above).
NIBBLE_EXPORT Result<std::string> emit(const CompileRequest &request,
                                       std::string_view stage);

/// The text that pass `pass` of MLIR or of LLVM's optimiser leaves, each time
/// it runs, by the name that nibble-opt or opt knows it by
/// (`nibble-schedule-gpu`, `instcombine`). InvalidArgument, with those that
/// run, if it never does.
NIBBLE_EXPORT Result<std::string> emitAfter(const CompileRequest &request,
                                            std::string_view pass);

/// The stages for `target`, each with a line of description.
NIBBLE_EXPORT std::vector<std::pair<std::string, std::string>>
stageNames(std::string_view target);

/// The name of this compiler: a digest of its sources and of LLVM's version.
NIBBLE_EXPORT std::string_view compilerBuild();

/// The name of what `request` compiles to: a digest of every input of the code,
/// this compiler among them. Errors as in compile(), but the text is not read.
NIBBLE_EXPORT Result<std::string> requestKey(const CompileRequest &request);

/// True if the environment asks to see or to change a stage of `request`
/// (docs/environment.md): it has to be compiled, and what comes out is not what
/// its key names.
NIBBLE_EXPORT bool isInspected(const CompileRequest &request);

/// The targets: sm_80, sm_86, sm_89, sm_90a, sm_100a, sm_120a, host.
NIBBLE_EXPORT std::vector<std::string> targetNames();

/// The embedded kernels: name and text.
NIBBLE_EXPORT const std::vector<std::pair<std::string, std::string>> &
embeddedKernels();

} // namespace nibble

#endif // NIBBLE_COMPILER_H
