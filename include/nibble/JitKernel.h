//===- nibble/JitKernel.h - Kernels to call -------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A kernel, nibble's own or a program's, compiled when it is first asked for
// and called on the caller's arrays:
//
//   CompileRequest request;
//   request.text = ...; // MLIR in the dialect, here test/kernels/repack.mlir
//   request.config = "BITS=4 BLOCK_K=64 BLOCK_N=64";
//   Result<JitKernel> kernel = JitKernel::create(request);
//   Status status = kernel->run({{"from", ...}, {"to", ...}}, // TensorViews
//                               {{"K", 4096}, {"N", 4096}});
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_JITKERNEL_H
#define NIBBLE_JITKERNEL_H

#include "nibble/Compiler.h"
#include "nibble/Export.h"
#include "nibble/Tensor.h"
#include <map>
#include <memory>

namespace nibble {

class LoadedKernel;

/// Takes kernels from file `path`, which `nibble compile --model` wrote, before
/// any other place, and what tuning found, if that is in it, as in one that
/// saveTuning() wrote: from now on, for the whole process, and for QuantLinear
/// and JitKernel alike. NIBBLE_KERNELS does the same from outside. Errors name
/// the file: NotFound, IoError, InvalidFile, or Unsupported for the file of
/// another build of nibble.
NIBBLE_EXPORT Status loadKernels(const std::string &path);

/// A kernel that can be called. Copies share the code.
class NIBBLE_EXPORT JitKernel {
public:
  /// Loads the code for `request`: this process's for an equal request, else
  /// that of a file of kernels or of the cache on disk (docs/environment.md),
  /// else compiles it. However many threads ask for one kernel at a time, it is
  /// compiled once. Errors as in compile(); Unsupported if the target is not
  /// the host.
  static Result<JitKernel> create(const CompileRequest &request);

  /// The kernel's interface, schedule, code and times.
  const CompiledKernel &compiled() const;

  /// Runs all programs of the kernel on `matrices` (by name) of the sizes
  /// `sizes`, and returns when they are done. Errors name the matrix or size:
  /// one that is missing or unknown, a wrong type or shape, an alignment, a
  /// divisor or a most that the kernel was compiled for and that does not hold.
  Status run(const std::map<std::string, TensorView> &matrices,
             const KernelSizes &sizes) const;

private:
  explicit JitKernel(std::shared_ptr<const LoadedKernel> kernel)
      : kernel(std::move(kernel)) {}
  std::shared_ptr<const LoadedKernel> kernel;
};

} // namespace nibble

#endif // NIBBLE_JITKERNEL_H
