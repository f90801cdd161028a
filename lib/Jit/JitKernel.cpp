//===- Jit/JitKernel.cpp - Kernels to call --------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See nibble/JitKernel.h.
//
//===----------------------------------------------------------------------===//

#include "nibble/JitKernel.h"
#include "Jit/Arguments.h"
#include "Jit/KernelCache.h"
#include "Support/OutOfMemory.h"
#include "llvm/ADT/STLExtras.h"

using namespace nibble;

Result<JitKernel> JitKernel::create(const CompileRequest &request) try {
  Result<std::shared_ptr<const LoadedKernel>> loaded = findOrCompile(request);
  if (!loaded.ok())
    return loaded.status();
  return JitKernel(std::move(*loaded));
} catch (...) {
  return caughtOutOfMemory();
}

const CompiledKernel &JitKernel::compiled() const {
  static const CompiledKernel nothing;
  return kernel ? kernel->compiled() : nothing;
}

Status JitKernel::run(const std::map<std::string, TensorView> &matrices,
                      const KernelSizes &sizes) const try {
  if (!kernel)
    return Status(ErrorCode::InvalidArgument,
                  "the kernel holds nothing: it was moved from");
  const KernelInterface &interface = compiled().interface;
  for (const auto &[name, tensor] : matrices)
    if (llvm::none_of(interface.matrices,
                      [&](auto &matrix) { return matrix.name == name; }))
      return Status(ErrorCode::InvalidArgument,
                    "the kernel has no matrix '" + name + "'");
  Result<int64_t> programs = interface.programs(sizes);
  if (!programs.ok())
    return programs.status();
  llvm::SmallVector<MatrixArgument> arguments;
  for (const KernelMatrix &matrix : interface.matrices) {
    auto found = matrices.find(matrix.name);
    if (found == matrices.end())
      return Status(ErrorCode::InvalidArgument,
                    "matrix '" + matrix.name + "' is missing");
    Result<MatrixArgument> argument = bindTensor(matrix, found->second, sizes);
    if (!argument.ok())
      return argument.status();
    arguments.push_back(*argument);
  }
  llvm::SmallVector<int64_t> values, words;
  for (const KernelSize &size : interface.sizes)
    values.push_back(sizes.at(size.name));
  fillWords(interface, arguments, values, words);
  return kernel->launch(words, *programs, nullptr);
} catch (...) {
  return caughtOutOfMemory();
}
