//===- Jit/KernelCache.h - Kernels of this process ------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels by what they were compiled from. A kernel is compiled once, however
// many threads ask for it at a time; a failure is not kept.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_JIT_KERNELCACHE_H
#define NIBBLE_JIT_KERNELCACHE_H

#include "Jit/LoadedKernel.h"

namespace nibble {

/// The kernel for `request` on `device` (null: the host), compiled and loaded
/// now if it is the first.
Result<std::shared_ptr<const LoadedKernel>>
findOrCompile(const CompileRequest &request,
              const driver::Device *device = nullptr);

} // namespace nibble

#endif // NIBBLE_JIT_KERNELCACHE_H
