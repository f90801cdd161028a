//===- Jit/DiskCache.cpp - Compiled code on disk --------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See DiskCache.h.
//
//===----------------------------------------------------------------------===//

#include "Jit/DiskCache.h"
#include "Jit/KeyLock.h"
#include "Support/Digest.h"
#include "Support/Environment.h"
#include "Support/Files.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <chrono>
#include <fcntl.h>
#include <sys/stat.h>
#include <thread>

using namespace nibble;
using namespace llvm;

static constexpr const char *entryEnding = ".entry";
static constexpr const char *badEnding = ".bad";
static constexpr StringRef temporaryEnding = ".entry.tmp-";

/// A writer is done with a temporary file long before this.
static constexpr int64_t deadAge = 60 * 60;
/// How long a changed entry is kept for whoever wants to look at it.
static constexpr int64_t badAge = 24 * 60 * 60;
/// The time of last use is noted this coarsely, in seconds, so that most finds
/// write nothing.
static constexpr int64_t useGrain = 10 * 60;

/// What is kept under the name of an older or newer form of entries is never
/// looked at.
static std::string versioned(const std::string &folder) {
  if (folder.empty())
    return folder;
  SmallString<128> path(folder);
  sys::path::append(path, "v1");
  return path.str().str();
}

DiskCache::DiskCache(const std::string &folder, uint64_t limit)
    : folder(versioned(folder)), mostBytes(limit),
      writtenBytes(limit) /* the first write looks through the folder */ {}

DiskCache &DiskCache::shared() {
  // Never destroyed: a thread may compile while the process ends.
  static auto *cache =
      new DiskCache(environment().cacheFolder, environment().cacheBytes);
  return *cache;
}

std::string DiskCache::pathOf(const std::string &key,
                              const char *ending) const {
  SmallString<128> path(folder);
  sys::path::append(path, key + ending);
  return path.str().str();
}

static int64_t ageOf(const sys::fs::basic_file_status &status) {
  using namespace std::chrono;
  return duration_cast<seconds>(system_clock::now() -
                                status.getLastModificationTime())
      .count();
}

Result<CacheEntry> DiskCache::peek(const std::string &key) const {
  Result<std::string> bytes = readFile(pathOf(key, entryEnding), maxEntryBytes);
  // On a network file system, a file that is replaced while it is open cannot
  // be read any more (ESTALE); the other one is found under the same name.
  if (bytes.status().code() == ErrorCode::IoError)
    bytes = readFile(pathOf(key, entryEnding), maxEntryBytes);
  if (!bytes.ok())
    return bytes.status();
  return decodeEntry(key, *bytes);
}

std::optional<CacheEntry> DiskCache::find(const std::string &key) {
  Result<CacheEntry> entry = read(key);
  return entry.ok() ? std::optional(std::move(*entry)) : std::nullopt;
}

Result<CacheEntry> DiskCache::read(const std::string &key) {
  if (folder.empty())
    return Status(ErrorCode::NotFound, "there is no cache on disk");
  Result<CacheEntry> entry = peek(key);
  if (!entry.ok()) {
    ErrorCode code = entry.status().code();
    if (code == ErrorCode::InvalidFile)
      setAside(key, entry.status().message());
    else if (code != ErrorCode::NotFound)
      log(LogLevel::Debug, entry.status().message());
    return entry;
  }
  std::string path = pathOf(key, entryEnding);
  sys::fs::file_status status;
  if (!sys::fs::status(path, status) && ageOf(status) > useGrain)
    ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0);
  return entry;
}

void DiskCache::setAside(const std::string &key, const std::string &why) {
  if (folder.empty())
    return;
  log(LogLevel::Warning,
      "cache entry " + pathOf(key, entryEnding) + " is not used: " + why);
  if (std::error_code error =
          sys::fs::rename(pathOf(key, entryEnding), pathOf(key, badEnding)))
    log(LogLevel::Debug, "it cannot be set aside: " + error.message());
}

bool DiskCache::write(
    const std::string &key, const CacheEntry &entry,
    function_ref<Result<bool>(const std::string &path, std::string_view bytes)>
        write) {
  if (folder.empty() || !writable)
    return true;
  std::string bytes = encodeEntry(key, entry);
  if (bytes.size() > std::min(mostBytes, maxEntryBytes))
    return true;
  std::error_code error = sys::fs::create_directories(folder);
  Result<bool> written =
      error ? Status(ErrorCode::IoError,
                     "cannot make '" + folder + "': " + error.message())
            : write(pathOf(key, entryEnding), bytes);
  if (!written.ok()) {
    if (writable.exchange(false))
      log(LogLevel::Warning, "the cache on disk is not written any more: " +
                                 written.status().message());
    return true;
  }
  if (!*written)
    return false;
  log(LogLevel::Debug, "cache entry " + pathOf(key, entryEnding) + " written");
  // Looking through the folder at each write would cost more than it saves.
  writtenBytes += bytes.size();
  if (writtenBytes > mostBytes / 16) {
    writtenBytes = 0;
    prune(mostBytes);
  }
  return true;
}

void DiskCache::store(const std::string &key, const CacheEntry &entry) {
  write(key, entry,
        [](const std::string &path, std::string_view bytes) -> Result<bool> {
          Status status = writeFile(path, {bytes});
          return status.ok() ? Result<bool>(true) : status;
        });
}

bool DiskCache::storeNew(const std::string &key, const CacheEntry &entry) {
  return write(key, entry, [](const std::string &path, std::string_view bytes) {
    return createFile(path, {bytes});
  });
}

/// Takes the lock of `key`, if there can be one.
void DiskCache::waitFor(KeyLock &lock, const std::string &key) {
  using namespace std::chrono;
  if (folder.empty() || !writable)
    return;
  if (sys::fs::create_directories(folder))
    return; // store() will say why
  auto deadline = steady_clock::now() + minutes(1);
  auto pause = milliseconds(1);
  while (!lock.take(pathOf("lock", ""), key)) {
    if (steady_clock::now() > deadline) {
      log(LogLevel::Warning, "another process makes cache entry " + key +
                                 " for a minute now; no longer waited for");
      return;
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, milliseconds(16));
  }
}

Result<DiskCache::Found>
DiskCache::findOrMake(const std::string &key,
                      function_ref<Result<CacheEntry>()> make) {
  if (std::optional<CacheEntry> found = find(key))
    return Found{std::move(*found), false};
  KeyLock lock;
  waitFor(lock, key);
  // Another may have made it by now.
  if (std::optional<CacheEntry> found = find(key))
    return Found{std::move(*found), false};
  Result<CacheEntry> entry = make();
  if (!entry.ok())
    return entry.status();
  store(key, *entry);
  return Found{std::move(*entry), true};
}

void DiskCache::update(const std::string &key,
                       function_ref<CacheEntry(const CacheEntry *old)> change) {
  KeyLock lock;
  waitFor(lock, key);
  if (!lock.isHeld()) {
    log(LogLevel::Debug, "cache entry " + pathOf(key, entryEnding) +
                             " stays as it is: its lock was not got");
    return;
  }
  Result<CacheEntry> old = read(key);
  if (old.status().code() == ErrorCode::IoError)
    return;
  // storeNew() asks for no lock.
  if (old.ok())
    store(key, change(&*old));
  else
    storeNew(key, change(nullptr));
}

//===----------------------------------------------------------------------===//
// The folder as a whole
//===----------------------------------------------------------------------===//

std::vector<DiskCache::File> DiskCache::list() const {
  std::vector<File> files;
  std::error_code error;
  for (sys::fs::directory_iterator each(folder, error), end;
       !error && each != end; each.increment(error)) {
    StringRef name = sys::path::filename(each->path());
    std::string key = name.take_front(digestLength).str();
    StringRef ending = name.drop_front(key.size());
    ErrorOr<sys::fs::basic_file_status> status = each->status();
    if (!isDigest(key) || !status ||
        status->type() != sys::fs::file_type::regular_file)
      continue;
    File file = {File::Entry, each->path(), key, status->getSize(),
                 ageOf(*status)};
    if (ending == badEnding)
      file.kind = File::Bad;
    else if (ending.starts_with(temporaryEnding))
      file.kind = File::Temporary;
    else if (ending != entryEnding)
      continue;
    files.push_back(std::move(file));
  }
  llvm::sort(files, [](const File &a, const File &b) {
    return std::tie(a.age, a.path) < std::tie(b.age, b.path);
  });
  return files;
}

DiskCache::Removed
DiskCache::removeIf(function_ref<bool(const File &file)> dead) {
  Removed removed;
  for (const File &file : list())
    if (dead(file) && !sys::fs::remove(file.path)) {
      ++removed.files;
      removed.bytes += file.bytes;
    }
  return removed;
}

DiskCache::Removed DiskCache::prune(uint64_t most) {
  uint64_t seen = 0;
  Removed removed = removeIf([&](const File &file) {
    seen += file.bytes;
    return file.kind == File::Temporary ? file.age > deadAge
           : file.kind == File::Bad     ? file.age > badAge
                                        : seen > most;
  });
  if (removed.files)
    log(LogLevel::Debug, "removed " + Twine(removed.files) +
                             " files of the cache, " + Twine(removed.bytes) +
                             " bytes");
  return removed;
}

DiskCache::Removed DiskCache::clear() {
  return removeIf([](const File &file) {
    return file.kind != File::Temporary || file.age > deadAge;
  });
}
