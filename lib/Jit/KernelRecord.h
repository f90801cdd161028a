//===- Jit/KernelRecord.h - Compiled kernels as entries -------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A compiled kernel to an entry of the cache and back: its code is the entry's,
// everything else is its description.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_JIT_KERNELRECORD_H
#define NIBBLE_JIT_KERNELRECORD_H

#include "Jit/CacheEntry.h"
#include "nibble/Compiler.h"

namespace nibble {

/// The entry for `kernel`; where it came from and how long it took are left
/// out.
CacheEntry toEntry(CompiledKernel kernel);

/// The kernel of `entry`, which came from `origin`; an error names what its
/// description lacks.
Result<CompiledKernel> fromEntry(CacheEntry entry, const std::string &origin);

} // namespace nibble

#endif // NIBBLE_JIT_KERNELRECORD_H
