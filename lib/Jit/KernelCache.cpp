//===- Jit/KernelCache.cpp - Kernels of this process ----------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See KernelCache.h.
//
//===----------------------------------------------------------------------===//

#include "Jit/KernelCache.h"
#include "Transforms/KernelConfig.h"
#include <future>
#include <map>
#include <mutex>

using namespace nibble;

using Loaded = Result<std::shared_ptr<const LoadedKernel>>;

/// Every input of a compilation, each with its length before it.
static Result<std::string> keyOf(const CompileRequest &request,
                                 const driver::Device *device) {
  Result<KernelConfig> config = KernelConfig::parse(request.config);
  if (!config.ok())
    return config.status();
  std::string key = device ? std::to_string(device->ordinal()) : "host";
  for (const std::string &part : {request.kernel, request.text, config->str(),
                                  request.target, request.schedule})
    key += std::to_string(part.size()) + ":" + part;
  return key;
}

static Loaded compileAndLoad(const CompileRequest &request,
                             const driver::Device *device) {
  Result<CompiledKernel> compiled = compile(request);
  if (!compiled.ok())
    return compiled.status();
  return LoadedKernel::load(std::move(*compiled), device);
}

Loaded nibble::findOrCompile(const CompileRequest &request,
                             const driver::Device *device) {
  static std::mutex mutex;
  static auto *kernels = new std::map<std::string, std::shared_future<Loaded>>;

  Result<std::string> key = keyOf(request, device);
  if (!key.ok())
    return key.status();
  std::promise<Loaded> promise;
  std::shared_future<Loaded> future;
  bool first;
  {
    std::lock_guard lock(mutex);
    auto [place, added] = kernels->try_emplace(*key);
    first = added;
    if (added)
      place->second = promise.get_future().share();
    future = place->second;
  }
  if (!first)
    return future.get();
  Loaded loaded = compileAndLoad(request, device);
  if (!loaded.ok()) {
    std::lock_guard lock(mutex);
    kernels->erase(*key);
  }
  promise.set_value(loaded);
  return loaded;
}
