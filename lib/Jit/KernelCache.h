//===- Jit/KernelCache.h - Kernels of this process ------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels by what they were compiled from. A kernel is compiled once, however
// many threads ask for it at a time; a failure is not kept.
//
// What a layer or a program runs stays as long as the process does, so that the
// next layer of its kind finds it. What is only tried goes with its last owner;
// it is loaded from disk, or compiled, when it is asked for again.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_JIT_KERNELCACHE_H
#define NIBBLE_JIT_KERNELCACHE_H

#include "Jit/LoadedKernel.h"

namespace nibble {

/// How long a kernel stays that is asked for; the longest counts.
enum class Keep {
  /// While the process lives.
  Always,
  /// While somebody holds it.
  WhileHeld
};

/// The kernel for `request` on `device` (null: the host), compiled and loaded
/// now if it is not there.
Result<std::shared_ptr<const LoadedKernel>>
findOrCompile(const CompileRequest &request,
              const driver::Device *device = nullptr, Keep keep = Keep::Always);

} // namespace nibble

#endif // NIBBLE_JIT_KERNELCACHE_H
