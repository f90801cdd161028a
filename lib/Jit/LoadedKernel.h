//===- Jit/LoadedKernel.h - A kernel's code, ready to launch --------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The last step of a call: words and a number of programs to running code.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_JIT_LOADEDKERNEL_H
#define NIBBLE_JIT_LOADEDKERNEL_H

#include "Driver/Module.h"
#include "nibble/Compiler.h"
#include "llvm/ADT/ArrayRef.h"
#include <memory>

namespace nibble {

class HostModule;

/// A compiled kernel in this process, on the host or on one device.
class LoadedKernel {
public:
  /// Loads `compiled` onto `device`, where its code is `cubin`, or onto the
  /// host if `device` is null.
  static Result<std::shared_ptr<const LoadedKernel>>
  load(CompiledKernel compiled, const driver::Device *device,
       const std::string &cubin);
  ~LoadedKernel();

  const CompiledKernel &compiled() const { return kernel; }

  /// Runs `programs` programs with the words that the kernel's interface
  /// lists. On the host it returns when they are done; on a device they run in
  /// order on `stream`. Allocates nothing and waits for nothing else.
  Status launch(llvm::ArrayRef<int64_t> words, int64_t programs,
                void *stream) const;

  /// True if it reads weights in the packed order.
  bool readsPacked() const { return packed; }
  /// Of a product: true if it gathers x, of which it holds some rows
  /// (KernelConfig::held).
  bool holdsX() const { return holds; }

  /// The code on a device, or null.
  const driver::Module *module() const { return deviceModule.get(); }

private:
  using Entry = void (*)(const int64_t *words, int64_t first, int64_t end);
  explicit LoadedKernel(CompiledKernel compiled);

  CompiledKernel kernel;
  bool packed, holds;
  std::unique_ptr<HostModule> hostModule;
  Entry entry = nullptr;
  std::unique_ptr<driver::Module> deviceModule;
};

} // namespace nibble

#endif // NIBBLE_JIT_LOADEDKERNEL_H
