//===- Jit/KernelCache.cpp - Kernels of this process ----------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See KernelCache.h.
//
//===----------------------------------------------------------------------===//

#include "Jit/KernelCache.h"
#include "Jit/KernelStore.h"
#include "Support/Log.h"
#include "llvm/Support/Format.h"
#include <chrono>
#include <future>
#include <map>
#include <mutex>
#include <pthread.h>

using namespace nibble;

using Loaded = Result<std::shared_ptr<const LoadedKernel>>;

namespace {
struct Kernels {
  std::mutex mutex;
  std::map<std::string, std::shared_future<Loaded>> loaded;
};
} // namespace

/// Never destroyed: a thread may launch while the process ends.
static Kernels &kernels() {
  static Kernels *all = [] {
    static Kernels *made = new Kernels;
    // A forked process has the one thread that forked: nobody there makes what
    // the others were making, or holds the lock that they held.
    pthread_atfork([] { made->mutex.lock(); }, [] { made->mutex.unlock(); },
                   [] {
                     std::erase_if(made->loaded, [](auto &each) {
                       return each.second.wait_for(std::chrono::seconds(0)) !=
                              std::future_status::ready;
                     });
                     made->mutex.unlock();
                   });
    return made;
  }();
  return *all;
}

static Loaded loadOnDevice(CompiledKernel kernel,
                           const driver::Device &device) {
  auto assemble = [&](const CompiledKernel &kernel) {
    return driver::assemble(device, kernel.code, kernel.name);
  };
  Result<std::string> cubin =
      findCubin(DiskCache::shared(), kernel,
                "sm_" + std::to_string(device.properties().computeCapability),
                {"driver " + device.driver().build(), assemble});
  if (!cubin.ok())
    return cubin.status();
  Loaded loaded = LoadedKernel::load(kernel, &device, *cubin);
  if (loaded.ok())
    return loaded;
  // A cubin from a file may be of a newer ptxas than this driver takes.
  log(LogLevel::Debug, "assembling again: " + loaded.status().message());
  cubin = assemble(kernel);
  if (!cubin.ok())
    return cubin.status();
  return LoadedKernel::load(std::move(kernel), &device, *cubin);
}

static Loaded makeAndLoad(const std::string &key, const CompileRequest &request,
                          const driver::Device *device) {
  auto begin = std::chrono::steady_clock::now();
  Result<CompiledKernel> kernel = findKernel(DiskCache::shared(), key, request);
  if (!kernel.ok())
    return kernel.status();
  Loaded loaded = device ? loadOnDevice(std::move(*kernel), *device)
                         : LoadedKernel::load(std::move(*kernel), nullptr, "");
  if (loaded.ok() && logs(LogLevel::Info)) {
    const CompiledKernel &compiled = (*loaded)->compiled();
    std::chrono::duration<double, std::milli> spent =
        std::chrono::steady_clock::now() - begin;
    std::string time;
    llvm::raw_string_ostream(time) << llvm::format("%.1f", spent.count());
    log(LogLevel::Info, compiled.name + " for " + compiled.target + " (" +
                            compiled.origin + ", " + time +
                            " ms): " + compiled.config);
  }
  return loaded;
}

Loaded nibble::findOrCompile(const CompileRequest &request,
                             const driver::Device *device) {
  Result<std::string> key = requestKey(request);
  if (!key.ok())
    return key.status();
  std::string place =
      *key + (device ? " " + std::to_string(device->ordinal()) : "");
  std::promise<Loaded> promise;
  std::shared_future<Loaded> future;
  Kernels &all = kernels();
  bool first;
  {
    std::lock_guard lock(all.mutex);
    auto [at, added] = all.loaded.try_emplace(place);
    first = added;
    if (added)
      at->second = promise.get_future().share();
    future = at->second;
  }
  if (!first)
    return future.get();
  Loaded loaded = makeAndLoad(*key, request, device);
  if (!loaded.ok()) {
    std::lock_guard lock(all.mutex);
    all.loaded.erase(place);
  }
  promise.set_value(loaded);
  return loaded;
}
