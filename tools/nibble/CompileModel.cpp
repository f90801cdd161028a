//===- CompileModel.cpp - nibble compile --model --------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiles all kernels that a checkpoint's layers need into one file, on a
// machine with or without a GPU.
//
//===----------------------------------------------------------------------===//

#include "CompileModel.h"
#include "API/AheadOfTime.h"
#include "Jit/KernelFile.h"
#include "Jit/KernelRecord.h"
#include "Jit/KernelStore.h"
#include "Layers.h"
#include "Ptxas.h"
#include "Support/ThreadPool.h"
#include "Table.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"
#include <mutex>

using namespace nibble;
using namespace nibble::tool;
using namespace llvm;

/// The results in all files of `job`.
static Result<std::vector<FiledTimes>> readTuning(const ModelJob &job) {
  std::vector<FiledTimes> all;
  for (const std::string &path : job.tuning) {
    Result<std::vector<FiledTimes>> some = readTimesFile(path);
    if (!some.ok())
      return some.status();
    append_range(all, *some);
  }
  return all;
}

namespace {
/// What goes into the file.
struct Contents {
  std::map<std::string, CompileRequest> requests;
  /// Results of tuning.
  std::map<std::string, CacheEntry> results;
};
} // namespace

/// What the layers of `job` ask for.
static Result<Contents> contentsOf(const ModelJob &job) {
  Result<std::vector<FiledTimes>> tuning = readTuning(job);
  if (!tuning.ok())
    return tuning.status();
  Result<model::Checkpoint> checkpoint =
      model::Checkpoint::open(job.folder, job.format);
  if (!checkpoint.ok())
    return checkpoint.status();
  Result<std::vector<std::string>> names = chooseLayers(*checkpoint, job.layer);
  if (!names.ok())
    return names.status().withContext(job.folder);
  Contents all;
  Progress progress;
  for (const std::string &name : *names) {
    progress.show("reading " + name);
    Result<model::Layer> layer = checkpoint->load(name);
    if (!layer.ok())
      return layer.status();
    for (StringRef typeName : split(job.types, ",")) {
      Result<DType> type = readType(typeName.str());
      if (!type.ok())
        return type.status();
      for (StringRef target : split(job.targets, ",")) {
        std::vector<FiledTimes> results =
            resultsFor(*layer, *type, target.str(), *tuning);
        auto requests = allRequests(*layer, *type, target.str(), results);
        if (!requests.ok())
          return requests.status().withContext(name);
        all.requests.merge(*requests);
        for (const FiledTimes &each : results)
          all.results.emplace(each.key.problem,
                              timesEntry(each.key, each.times));
      }
    }
  }
  if (!job.tuning.empty() && all.results.empty())
    return Status(ErrorCode::InvalidArgument,
                  "'" + job.tuning.front() +
                      "' has no results for layers of '" + job.folder +
                      "' with x of " + job.types + " on GPUs of " +
                      job.targets);
  return all;
}

namespace {
/// The entries made so far, by several threads.
struct Made {
  std::mutex mutex;
  std::map<std::string, CacheEntry> entries;
  size_t kernels = 0, cubins = 0;
  Status failed;
};
} // namespace

/// Compiles one kernel, and assembles it if there is a `ptxas`.
static Status make(const std::string &key, const CompileRequest &request,
                   const std::optional<Ptxas> &ptxas, Made &made) {
  Result<CompiledKernel> kernel = findKernel(DiskCache::shared(), key, request);
  if (!kernel.ok())
    return kernel.status().withContext(request.config);
  std::optional<CacheEntry> cubin;
  if (ptxas && request.target != "host") {
    Result<Ptxas::Assembled> made =
        ptxas->assemble(kernel->code, kernel->target);
    if (!made.ok())
      return made.status().withContext(request.config);
    cubin = cubinEntry(*kernel, ptxas->name, std::move(made->cubin));
  }
  std::lock_guard lock(made.mutex);
  ++made.kernels;
  if (cubin) {
    ++made.cubins;
    made.entries[cubinKey(kernel->code, kernel->target, "")] =
        std::move(*cubin);
  }
  made.entries[key] = toEntry(std::move(*kernel));
  return Status();
}

Status tool::compileModel(const ModelJob &job) {
  std::optional<Ptxas> ptxas;
  if (job.ptxas != "none") {
    Result<std::optional<Ptxas>> found = Ptxas::find(job.ptxas);
    if (!found.ok())
      return found.status();
    ptxas = std::move(*found);
  }
  Result<Contents> contents = contentsOf(job);
  if (!contents.ok())
    return contents.status();
  std::vector<std::pair<std::string, CompileRequest>> list(
      contents->requests.begin(), contents->requests.end());
  Made made;
  made.entries = contents->results;
  {
    Progress progress;
    ThreadPool::shared().run(
        static_cast<int64_t>(list.size()), [&](int64_t first, int64_t end) {
          for (int64_t i = first; i < end; ++i) {
            Status status = make(list[i].first, list[i].second, ptxas, made);
            std::lock_guard lock(made.mutex);
            if (!status.ok())
              made.failed = status;
            if (!made.failed.ok())
              return;
            progress.show("compiled " + std::to_string(made.kernels) + " of " +
                          std::to_string(list.size()) + " kernels");
          }
        });
  }
  if (!made.failed.ok())
    return made.failed;
  if (Status status = writeKernelFile(job.output, made.entries); !status.ok())
    return status;
  uint64_t bytes = 0;
  if (std::error_code error = sys::fs::file_size(job.output, bytes))
    return Status(ErrorCode::IoError,
                  "cannot read '" + job.output + "': " + error.message());
  outs() << job.output << ": " << made.kernels << " kernels for "
         << job.targets;
  if (!contents->results.empty())
    outs() << ", tuning of " << contents->results.size() << " kinds of calls";
  if (made.cubins)
    outs() << ", " << made.cubins << " cubins by " << ptxas->name;
  outs() << ", " << bytes << " bytes\n";
  outs().flush();
  return Status();
}
