//===- Jit/LoadedKernel.h - A kernel's code, ready to launch
//---------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The last step of a call: words and a number of programs to running code.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_JIT_LOADEDKERNEL_H
#define NIBBLE_JIT_LOADEDKERNEL_H

#include "nibble/Compiler.h"
#include "llvm/ADT/ArrayRef.h"
#include <memory>

namespace nibble {

class HostModule;

/// A compiled kernel in this process.
class LoadedKernel {
public:
  static Result<std::shared_ptr<const LoadedKernel>>
  load(CompiledKernel compiled);
  ~LoadedKernel();

  const CompiledKernel &compiled() const { return kernel; }

  /// Runs `programs` programs with the words that the kernel's interface
  /// lists, and returns when they are done. Allocates nothing.
  void launch(llvm::ArrayRef<int64_t> words, int64_t programs) const;

private:
  using Entry = void (*)(const int64_t *words, int64_t first, int64_t end);
  LoadedKernel(CompiledKernel compiled, std::unique_ptr<HostModule> module,
               Entry entry);

  CompiledKernel kernel;
  std::unique_ptr<HostModule> module;
  Entry entry;
};

} // namespace nibble

#endif // NIBBLE_JIT_LOADEDKERNEL_H
