//===- Jit/KernelStore.cpp - Where code comes from ------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See KernelStore.h.
//
//===----------------------------------------------------------------------===//

#include "Jit/KernelStore.h"
#include "Jit/KernelFile.h"
#include "Jit/KernelRecord.h"
#include "Support/Digest.h"
#include "Support/Log.h"

using namespace nibble;

Result<CompiledKernel> nibble::findKernel(DiskCache &cache,
                                          const std::string &key,
                                          const CompileRequest &request) {
  if (isInspected(request))
    return compile(request);
  if (std::optional<FiledEntry> filed = findInKernelFiles(key)) {
    Result<CompiledKernel> kernel =
        fromEntry(std::move(filed->entry), filed->path);
    if (kernel.ok())
      return kernel;
    log(LogLevel::Warning, "entry " + key + " of " + filed->path +
                               " is not used: " + kernel.status().message());
  }
  std::optional<CompiledKernel> compiled;
  Result<DiskCache::Found> found =
      cache.findOrMake(key, [&]() -> Result<CacheEntry> {
        Result<CompiledKernel> kernel = compile(request);
        if (!kernel.ok())
          return kernel.status();
        compiled = std::move(*kernel);
        return toEntry(*compiled);
      });
  if (!found.ok())
    return found.status();
  if (compiled)
    return std::move(*compiled);
  Result<CompiledKernel> kernel = fromEntry(std::move(found->entry), "cache");
  if (kernel.ok())
    return kernel;
  cache.setAside(key, kernel.status().message());
  return compile(request);
}

std::string nibble::cubinKey(const std::string &ptx,
                             const std::string &architecture,
                             const std::string &maker) {
  return digestOf({"nibble cubin 1", ptx, architecture, maker});
}

CacheEntry nibble::cubinEntry(const CompiledKernel &kernel,
                              const std::string &maker, std::string cubin) {
  return {llvm::json::Object{{"kind", "cubin"},
                             {"name", kernel.name},
                             {"target", kernel.target},
                             {"config", kernel.config},
                             {"maker", maker}},
          std::move(cubin)};
}

Result<std::string> nibble::findCubin(DiskCache &cache,
                                      const CompiledKernel &kernel,
                                      const std::string &architecture,
                                      const Assembler &assembler) {
  if (std::optional<FiledEntry> filed =
          findInKernelFiles(cubinKey(kernel.code, kernel.target, "")))
    return std::move(filed->entry.code);
  Result<DiskCache::Found> found = cache.findOrMake(
      cubinKey(kernel.code, architecture, assembler.name),
      [&]() -> Result<CacheEntry> {
        Result<std::string> cubin = assembler.run(kernel);
        if (!cubin.ok())
          return cubin.status();
        return cubinEntry(kernel, assembler.name, std::move(*cubin));
      });
  if (!found.ok())
    return found.status();
  return std::move(found->entry.code);
}
