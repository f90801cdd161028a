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
#include "Support/OutOfMemory.h"
#include "llvm/Support/Format.h"
#include <chrono>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <pthread.h>

using namespace nibble;

using Loaded = Result<std::shared_ptr<const LoadedKernel>>;

namespace {
/// The place of one kernel.
struct Place {
  /// Valid while a thread makes it.
  std::shared_future<Loaded> making;
  /// Found while somebody holds it.
  std::weak_ptr<const LoadedKernel> made;
  /// Set if it stays as long as the process.
  std::shared_ptr<const LoadedKernel> kept;

  bool isEmpty() const { return !making.valid() && made.expired(); }
};

struct Kernels {
  std::mutex mutex;
  /// By what each is compiled from, and its device.
  std::map<std::string, Place> places;
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
                     std::erase_if(made->places, [](auto &each) {
                       return each.second.making.valid();
                     });
                     made->mutex.unlock();
                   });
    return made;
  }();
  return *all;
}

namespace {
/// A kernel that this thread makes. When it goes, by an exception, too, those
/// who wait get what became of it, and the next one to ask may try again.
class Making {
public:
  /// Of place `name`, which is `place`. With the lock held.
  Making(const std::string &name, Place &place) : name(name) {
    place.making = promise.get_future().share();
  }
  ~Making() {
    {
      std::lock_guard lock(kernels().mutex);
      Place &place = kernels().places.find(name)->second;
      place.making = {};
      if (result.ok())
        place.made = *result;
    }
    // Nothing here allocates.
    promise.set_value(std::move(result));
  }
  Making(const Making &) = delete;
  Loaded result = outOfMemory();

private:
  const std::string &name;
  std::promise<Loaded> promise;
};
} // namespace

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

/// The kernel of place `name`, whoever makes it.
static Loaded findOrMake(const std::string &name,
                         llvm::function_ref<Loaded()> make) {
  Kernels &all = kernels();
  std::shared_future<Loaded> future;
  std::optional<Making> making;
  {
    std::lock_guard lock(all.mutex);
    if (auto found = all.places.find(name); found != all.places.end()) {
      if (auto kernel = found->second.made.lock())
        return kernel;
      future = found->second.making;
    }
    if (!future.valid()) {
      // Those that nobody holds any more.
      std::erase_if(all.places,
                    [](auto &each) { return each.second.isEmpty(); });
      making.emplace(name, all.places[name]);
    }
  }
  if (!making)
    return future.get();
  making->result = make();
  return making->result;
}

Loaded nibble::findOrCompile(const CompileRequest &request,
                             const driver::Device *device, Keep keep) {
  Result<std::string> key = requestKey(request);
  if (!key.ok())
    return key.status();
  std::string name =
      *key + (device ? " " + std::to_string(device->ordinal()) : "");
  Loaded loaded =
      findOrMake(name, [&] { return makeAndLoad(*key, request, device); });
  if (loaded.ok() && keep == Keep::Always) {
    std::lock_guard lock(kernels().mutex);
    kernels().places[name].kept = *loaded;
  }
  return loaded;
}
