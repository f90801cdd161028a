//===- Jit/KernelFile.cpp - Kernels compiled ahead of time ----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See KernelFile.h.
//
//===----------------------------------------------------------------------===//

#include "Jit/KernelFile.h"
#include "Support/Digest.h"
#include "Support/Environment.h"
#include "Support/ForkLock.h"
#include "Support/OutOfMemory.h"
#include "nibble/Compiler.h"
#include "nibble/JitKernel.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"
#include <mutex>

using namespace nibble;
using namespace llvm;

static constexpr StringRef magic = "nibble-kernels-1\n";
/// More than the table of half a million entries takes.
static constexpr uint64_t maxTableBytes = 1 << 26;

/// Bytes [offset, offset + size) of `file`.
static Result<std::string> readSlice(const InputFile &file, uint64_t offset,
                                     uint64_t size) {
  std::string bytes(size, '\0');
  Status status = file.read(
      offset, {reinterpret_cast<uint8_t *>(bytes.data()), bytes.size()});
  return status.ok() ? Result<std::string>(std::move(bytes)) : status;
}

Result<std::unique_ptr<const KernelFile>>
KernelFile::open(const std::string &path) {
  auto refuse = [&](ErrorCode code, const std::string &why) {
    return Status(code, "the file of kernels '" + path + "' " + why);
  };
  Result<InputFile> file = InputFile::open(path);
  if (!file.ok())
    return file.status();
  std::unique_ptr<KernelFile> result(new KernelFile(std::move(*file)));
  uint64_t fileSize = result->file.size();

  // The table ends with the third line; it is read in ever larger pieces.
  std::string head;
  StringRef digest, table;
  for (uint64_t size = 1 << 16;; size *= 4) {
    Result<std::string> bytes =
        readSlice(result->file, 0, std::min(size, fileSize));
    if (!bytes.ok())
      return bytes.status();
    head = std::move(*bytes);
    StringRef rest = head;
    if (!rest.consume_front(magic))
      return refuse(ErrorCode::InvalidFile, "is not one");
    std::tie(digest, rest) = rest.split('\n');
    size_t end = rest.find('\n');
    table = rest.take_front(end);
    if (end != StringRef::npos || size >= fileSize || size >= maxTableBytes)
      break;
  }
  if (digestOf({table}) != digest)
    return refuse(ErrorCode::InvalidFile, "has a damaged table");
  uint64_t begin = magic.size() + digest.size() + 1 + table.size() + 1;

  Expected<json::Value> value = json::parse(table);
  if (!value)
    return refuse(ErrorCode::InvalidFile, "has a table that is not JSON: " +
                                              toString(value.takeError()));
  const json::Object *object = value->getAsObject();
  const json::Array *entries = object ? object->getArray("entries") : nullptr;
  if (!entries)
    return refuse(ErrorCode::InvalidFile, "has no table of entries");
  if (object->getString("build") != StringRef(compilerBuild()))
    return refuse(ErrorCode::Unsupported,
                  "is of another build of nibble; make it anew with this one");
  for (const json::Value &each : *entries) {
    const json::Object *entry = each.getAsObject();
    auto key = entry ? entry->getString("key") : std::nullopt;
    auto offset = entry ? entry->getInteger("offset") : std::nullopt;
    auto size = entry ? entry->getInteger("size") : std::nullopt;
    if (!key || !offset || !size || *offset < 0 || *size < 0 ||
        uint64_t(*size) > maxEntryBytes || begin > fileSize ||
        uint64_t(*offset) > fileSize - begin ||
        uint64_t(*size) > fileSize - begin - uint64_t(*offset))
      return refuse(ErrorCode::InvalidFile,
                    "has an entry that is not in the file");
    result->places[key->str()] = {begin + uint64_t(*offset), uint64_t(*size)};
  }
  return std::unique_ptr<const KernelFile>(std::move(result));
}

std::vector<std::string> KernelFile::keys() const {
  auto keys = make_first_range(places);
  return {keys.begin(), keys.end()};
}

std::optional<CacheEntry> KernelFile::find(const std::string &key) const {
  auto place = places.find(key);
  if (place == places.end())
    return std::nullopt;
  Result<std::string> bytes =
      readSlice(file, place->second.offset, place->second.size);
  Result<CacheEntry> entry =
      bytes.ok() ? decodeEntry(key, *bytes) : bytes.status();
  if (entry.ok())
    return std::move(*entry);
  log(LogLevel::Warning, "entry " + key + " of " + path() +
                             " is not used: " + entry.status().message());
  return std::nullopt;
}

Status
nibble::writeKernelFile(const std::string &path,
                        const std::map<std::string, CacheEntry> &entries) {
  json::Array table;
  std::string code;
  for (const auto &[key, entry] : entries) {
    std::string bytes = encodeEntry(key, entry);
    table.push_back(json::Object{{"key", key},
                                 {"offset", uint64_t(code.size())},
                                 {"size", uint64_t(bytes.size())}});
    code += bytes;
  }
  std::string line;
  raw_string_ostream(line) << json::Value(json::Object{
      {"build", StringRef(compilerBuild())}, {"entries", std::move(table)}});
  return writeFile(path, {magic, digestOf({line}), "\n", line, "\n", code});
}

//===----------------------------------------------------------------------===//
// The process's files
//===----------------------------------------------------------------------===//

namespace {
struct KernelFiles {
  std::mutex mutex;
  std::vector<std::shared_ptr<const KernelFile>> files;

  Status open(const std::string &path) {
    Result<std::unique_ptr<const KernelFile>> file = KernelFile::open(path);
    if (!file.ok())
      return file.status();
    std::lock_guard lock(mutex);
    files.push_back(std::move(*file));
    return Status();
  }

  std::vector<std::shared_ptr<const KernelFile>> list() {
    std::lock_guard lock(mutex);
    return files;
  }
};
} // namespace

/// Never destroyed: a thread may look for a kernel while the process ends.
static KernelFiles &kernelFiles() {
  static KernelFiles *files = [] {
    auto *made = new KernelFiles;
    holdWhileForking(made->mutex);
    for (const std::string &path : reverse(environment().kernelFiles))
      if (Status status = made->open(path); !status.ok())
        log(LogLevel::Warning, "NIBBLE_KERNELS: " + status.message());
    return made;
  }();
  return *files;
}

Status nibble::loadKernels(const std::string &path) try {
  return kernelFiles().open(path);
} catch (...) {
  return caughtOutOfMemory();
}

std::optional<FiledEntry> nibble::findInKernelFiles(const std::string &key) {
  std::vector<std::shared_ptr<const KernelFile>> files = kernelFiles().list();
  for (const auto &file : reverse(files))
    if (std::optional<CacheEntry> entry = file->find(key))
      return FiledEntry{std::move(*entry), file->path()};
  return std::nullopt;
}
