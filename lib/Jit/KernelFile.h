//===- Jit/KernelFile.h - Kernels compiled ahead of time ------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Entries of the cache in one file that is read and never written, to be
// shipped with an application:
//
//   nibble-kernels-1
//   <digest of the next line>
//   {"build": "<compilerBuild()>", "entries": [{"key": ..., "offset": ...,
//    "size": ...}, ...]}
//   entries, at offsets from here
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_JIT_KERNELFILE_H
#define NIBBLE_JIT_KERNELFILE_H

#include "Jit/CacheEntry.h"
#include "Support/Files.h"
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace nibble {

/// An open file of kernels.
class KernelFile {
public:
  /// Opens file `path` and reads its table. Errors name the file: NotFound,
  /// IoError, InvalidFile for one that is no such file or is damaged,
  /// Unsupported for one of another build of nibble, whose kernels would never
  /// be asked for.
  static Result<std::unique_ptr<const KernelFile>>
  open(const std::string &path);

  const std::string &path() const { return file.path(); }

  /// The keys of all entries, in order.
  std::vector<std::string> keys() const;
  /// Entry `key`, or nothing if there is none or it is damaged.
  std::optional<CacheEntry> find(const std::string &key) const;

private:
  explicit KernelFile(InputFile file) : file(std::move(file)) {}
  struct Place {
    uint64_t offset, size;
  };
  InputFile file;
  std::map<std::string, Place> places;
};

/// Writes `entries` by key to file `path`: all or nothing.
Status writeKernelFile(const std::string &path,
                       const std::map<std::string, CacheEntry> &entries);

/// An entry of one of the process's files of kernels.
struct FiledEntry {
  CacheEntry entry;
  /// The file's path.
  std::string path;
};

/// Entry `key` of the files that NIBBLE_KERNELS names and those that
/// loadKernels() opened, the last one opened first.
std::optional<FiledEntry> findInKernelFiles(const std::string &key);

} // namespace nibble

#endif // NIBBLE_JIT_KERNELFILE_H
