//===- Jit/DiskCache.h - Compiled code on disk ----------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A folder of entries, each named by the digest of everything that its content
// depends on. So an entry is never out of date, and any number of processes and
// versions share the folder:
//
//   v1/<key>.entry          an entry; appears whole, by a rename or a link
//   v1/<key>.entry.tmp-...  one that is being written, or its writer died
//   v1/<key>.bad            one that was found changed, set aside
//   v1/lock                 a byte of it is locked for each key being made
//
// Nothing that happens to these files is an error of a call: what cannot be
// read is made anew, and what cannot be written stays in memory.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_JIT_DISKCACHE_H
#define NIBBLE_JIT_DISKCACHE_H

#include "Jit/CacheEntry.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <atomic>
#include <optional>
#include <vector>

namespace nibble {

class KeyLock;

/// The entries in one folder. Every member may be called from any thread.
class DiskCache {
public:
  /// The cache in `folder`, of which about `limit` bytes are kept. Touches
  /// nothing yet. Without a folder it is always empty.
  DiskCache(const std::string &folder, uint64_t limit);

  /// The process's cache, as the environment asks for it.
  static DiskCache &shared();

  /// The folder that the files are in; empty if there is none.
  const std::string &path() const { return folder; }
  uint64_t limit() const { return mostBytes; }

  /// Entry `key`, or nothing. One that is not whole is set aside.
  std::optional<CacheEntry> find(const std::string &key);
  /// The same, with why there is nothing: NotFound, InvalidFile for what was
  /// set aside, IoError for what is there and cannot be read.
  Result<CacheEntry> read(const std::string &key);
  /// read() that leaves everything as it is: a look is not a use.
  Result<CacheEntry> peek(const std::string &key) const;

  /// Keeps `entry` under `key`.
  void store(const std::string &key, const CacheEntry &entry);
  /// Keeps `entry` under `key` unless there is one, which makes it false. Of
  /// processes that do so at once one does, locks or not; createFile() says
  /// where. True as well where nothing can be written.
  bool storeNew(const std::string &key, const CacheEntry &entry);

  /// Takes the entry `key` out of use, because of `why`.
  void setAside(const std::string &key, const std::string &why);

  /// What findOrMake() found, or made.
  struct Found {
    CacheEntry entry;
    bool made;
  };

  /// Entry `key`, or else what `make` gives, which is kept. While another
  /// process makes it this one waits, for a minute at most and only where the
  /// file system has locks.
  Result<Found> findOrMake(const std::string &key,
                           llvm::function_ref<Result<CacheEntry>()> make);

  /// Puts what `change` makes of entry `key`, or of nothing, in its place,
  /// under its lock. Nothing changes without that, where the file system has no
  /// locks or another process keeps it for a minute; nor if the entry is there
  /// and cannot be read.
  void update(const std::string &key,
              llvm::function_ref<CacheEntry(const CacheEntry *old)> change);

  /// One file in the folder.
  struct File {
    enum Kind { Entry, Bad, Temporary };
    Kind kind;
    std::string path, key;
    uint64_t bytes;
    /// Seconds since it was last used, about.
    int64_t age;
  };
  /// The files, the one that was used last first; others than the cache's own
  /// are left out.
  std::vector<File> list() const;

  /// How much was removed.
  struct Removed {
    size_t files = 0;
    uint64_t bytes = 0;
  };
  /// Removes what dead writers left, what was set aside, and then entries not
  /// used for longest, until the rest takes at most `most` bytes.
  Removed prune(uint64_t most);
  /// Removes all but what may be being written.
  Removed clear();

private:
  /// Lets `write` put the bytes of `entry` at `path`, which it may refuse;
  /// false if it did.
  bool write(const std::string &key, const CacheEntry &entry,
             llvm::function_ref<Result<bool>(const std::string &path,
                                             std::string_view bytes)>
                 write);
  void waitFor(KeyLock &lock, const std::string &key);
  std::string pathOf(const std::string &key, const char *ending) const;
  Removed removeIf(llvm::function_ref<bool(const File &file)> dead);

  std::string folder;
  uint64_t mostBytes;
  /// Set by the first write that fails.
  std::atomic<bool> writable = true;
  /// Bytes written since the folder was last looked through.
  std::atomic<uint64_t> writtenBytes;
};

} // namespace nibble

#endif // NIBBLE_JIT_DISKCACHE_H
