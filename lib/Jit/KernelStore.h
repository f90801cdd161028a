//===- Jit/KernelStore.h - Where code comes from --------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Code that this process does not have yet: from a file of kernels, else from
// the cache on disk, else made now and kept there. A kernel's PTX and the cubin
// that a driver makes of it are two entries, because they depend on different
// things: the PTX on the compiler, the cubin on the PTX and the driver.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_JIT_KERNELSTORE_H
#define NIBBLE_JIT_KERNELSTORE_H

#include "Jit/DiskCache.h"
#include "nibble/Compiler.h"

namespace nibble {

/// The kernel for `request`, whose key is `key`. A request that is inspected
/// (see isInspected) is compiled, and kept nowhere. Errors as in compile().
Result<CompiledKernel> findKernel(DiskCache &cache, const std::string &key,
                                  const CompileRequest &request);

/// What makes a cubin of PTX.
struct Assembler {
  /// Its name and version: equal for two that give equal cubins.
  std::string name;
  /// Makes one.
  llvm::function_ref<Result<std::string>(const CompiledKernel &kernel)> run;
};

/// The cubin of `kernel`, by `assembler` or ahead of time. It is for the
/// architecture `architecture`, such as sm_90.
Result<std::string> findCubin(DiskCache &cache, const CompiledKernel &kernel,
                              const std::string &architecture,
                              const Assembler &assembler);

/// The key of a cubin in the cache: of `ptx` for `architecture` by the
/// assembler `maker`. In a file of kernels the architecture is the target that
/// the PTX is for and the maker is empty.
std::string cubinKey(const std::string &ptx, const std::string &architecture,
                     const std::string &maker);

/// The entry for a cubin of `kernel` that `maker` made.
CacheEntry cubinEntry(const CompiledKernel &kernel, const std::string &maker,
                      std::string cubin);

} // namespace nibble

#endif // NIBBLE_JIT_KERNELSTORE_H
