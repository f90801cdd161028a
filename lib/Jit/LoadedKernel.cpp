//===- Jit/LoadedKernel.cpp - A kernel's code, ready to launch ------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See LoadedKernel.h.
//
//===----------------------------------------------------------------------===//

#include "Jit/LoadedKernel.h"
#include "Support/ThreadPool.h"
#include "Target/HostModule.h"
#include "llvm/ADT/SmallVector.h"

using namespace nibble;

LoadedKernel::LoadedKernel(CompiledKernel compiled)
    : kernel(std::move(compiled)), packed(kernel.schedule == "mma_packed"),
      holds(kernel.config.find(" held=1") != std::string::npos) {}
LoadedKernel::~LoadedKernel() = default;

Result<std::shared_ptr<const LoadedKernel>>
LoadedKernel::load(CompiledKernel compiled, const driver::Device *device,
                   const std::string &cubin) {
  std::shared_ptr<LoadedKernel> loaded(new LoadedKernel(std::move(compiled)));
  const CompiledKernel &kernel = loaded->kernel;
  if (device) {
    driver::Overlap overlap = !kernel.overlaps ? driver::Overlap::None
                              : loaded->packed ? driver::Overlap::Fills
                                               : driver::Overlap::Begins;
    Result<std::unique_ptr<driver::Module>> module = driver::Module::load(
        *device, cubin, kernel.name, kernel.sharedBytes, overlap);
    if (!module.ok())
      return module.status();
    loaded->deviceModule = std::move(*module);
    return std::shared_ptr<const LoadedKernel>(std::move(loaded));
  }
  if (kernel.target != "host")
    return Status(ErrorCode::Unsupported,
                  "a kernel for " + kernel.target + " cannot run on the host");
  Result<std::unique_ptr<HostModule>> module = HostModule::load(kernel.code);
  if (!module.ok())
    return module.status();
  Result<void *> entry = (*module)->find(kernel.name);
  if (!entry.ok())
    return entry.status();
  loaded->hostModule = std::move(*module);
  loaded->entry = reinterpret_cast<Entry>(*entry);
  return std::shared_ptr<const LoadedKernel>(std::move(loaded));
}

Status LoadedKernel::launch(llvm::ArrayRef<int64_t> words, int64_t programs,
                            void *stream) const {
  if (deviceModule) {
    llvm::SmallVector<void *, 32> arguments;
    for (const int64_t &word : words)
      arguments.push_back(const_cast<int64_t *>(&word));
    return deviceModule->launch(programs * kernel.splits, kernel.threads,
                                arguments.data(), stream);
  }
  ThreadPool::shared().run(programs, [&](int64_t first, int64_t end) {
    entry(words.data(), first, end);
  });
  return Status();
}
