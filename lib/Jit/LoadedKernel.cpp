//===- Jit/LoadedKernel.cpp - A kernel's code, ready to launch
//-------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See LoadedKernel.h.
//
//===----------------------------------------------------------------------===//

#include "Jit/LoadedKernel.h"
#include "Jit/ThreadPool.h"
#include "Target/HostModule.h"

using namespace nibble;

LoadedKernel::LoadedKernel(CompiledKernel compiled,
                           std::unique_ptr<HostModule> module, Entry entry)
    : kernel(std::move(compiled)), module(std::move(module)), entry(entry) {}
LoadedKernel::~LoadedKernel() = default;

Result<std::shared_ptr<const LoadedKernel>>
LoadedKernel::load(CompiledKernel compiled) {
  if (compiled.target != "host")
    return Status(ErrorCode::Unsupported,
                  "a kernel for " + compiled.target +
                      " cannot run here: nibble launches host kernels");
  Result<std::unique_ptr<HostModule>> module = HostModule::load(compiled.code);
  if (!module.ok())
    return module.status();
  Result<void *> entry = (*module)->find(compiled.name);
  if (!entry.ok())
    return entry.status();
  return std::shared_ptr<const LoadedKernel>(
      new LoadedKernel(std::move(compiled), std::move(*module),
                       reinterpret_cast<Entry>(*entry)));
}

void LoadedKernel::launch(llvm::ArrayRef<int64_t> words,
                          int64_t programs) const {
  ThreadPool::shared().run(programs, [&](int64_t first, int64_t end) {
    entry(words.data(), first, end);
  });
}
