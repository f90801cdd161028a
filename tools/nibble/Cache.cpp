//===- Cache.cpp - nibble cache -------------------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Shows and tidies the cache of compiled kernels.
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "Jit/DiskCache.h"
#include "Support/Environment.h"
#include "Table.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/raw_ostream.h"

using namespace nibble;
using namespace nibble::tool;
using namespace llvm;

cl::SubCommand tool::cacheCommand("cache",
                                  "Show and tidy the cache of kernels on disk");

static cl::opt<std::string> action(
    cl::Positional, cl::Required, cl::sub(cacheCommand), cl::cat(category),
    cl::value_desc("action"),
    cl::desc("path (print the folder), ls (list the entries, the one used last "
             "first), verify (read all and set changed ones aside), prune "
             "(remove leftovers, and entries beyond the size) or clear"));
static cl::opt<std::string> sizeWords(
    "size", cl::sub(cacheCommand), cl::cat(category), cl::value_desc("bytes"),
    cl::desc("For prune: what entries may take, such as 100M; default: "
             "NIBBLE_CACHE_SIZE"));
static cl::opt<bool> asJson("json", cl::sub(cacheCommand), cl::cat(category),
                            cl::desc("For ls: print JSON instead of a table"));

/// `3 d`, `5 h`, `2 min` or `8 s`.
static std::string duration(int64_t seconds) {
  for (auto [unit, length] : {std::pair("d", 86400), {"h", 3600}, {"min", 60}})
    if (seconds >= length)
      return std::to_string(seconds / length) + " " + unit;
  return std::to_string(std::max<int64_t>(seconds, 0)) + " s";
}

static Status listEntries(DiskCache &cache) {
  Table table({{"key", "key", true},
               {"kind", "kind", true},
               {"bytes", "bytes"},
               {"used", "seconds_since_use"},
               {"kernel", "kernel", true},
               {"target", "target", true},
               {"config", "config", true}});
  for (const DiskCache::File &file : cache.list()) {
    CacheEntry entry;
    StringRef kind = file.kind == DiskCache::File::Bad ? "bad" : "unfinished";
    if (file.kind == DiskCache::File::Entry) {
      Result<CacheEntry> found = cache.peek(file.key);
      kind = "changed";
      if (found.ok()) {
        entry = std::move(*found);
        kind = entry.about.getString("kind").value_or("");
      }
    }
    auto field = [&](const char *name) {
      return entry.about.getString(name).value_or("").str();
    };
    table.add({Cell(file.key.substr(0, 16), file.key), kind.str(),
               static_cast<int64_t>(file.bytes),
               Cell(duration(file.age), file.age), field("name"),
               field("target"), field("config")});
  }
  outs() << (asJson ? table.json() : table.text());
  return Status();
}

static Status printPath(DiskCache &cache) {
  outs() << cache.path() << "\n";
  return Status();
}

static Status verifyEntries(DiskCache &cache) {
  size_t whole = 0, changed = 0;
  Status unread;
  for (const DiskCache::File &file : cache.list()) {
    if (file.kind != DiskCache::File::Entry)
      continue;
    Status status = cache.peek(file.key).status();
    if (status.ok()) {
      ++whole;
    } else if (status.code() == ErrorCode::InvalidFile) {
      ++changed;
      cache.setAside(file.key, status.message());
    } else if (status.code() != ErrorCode::NotFound) { // removed meanwhile
      unread = status;
    }
  }
  outs() << whole << " entries are whole, " << changed << " are not\n";
  if (!unread.ok())
    return unread;
  if (changed)
    return Status(ErrorCode::InvalidFile,
                  "changed entries were set aside as *.bad");
  return Status();
}

static Status say(const DiskCache::Removed &removed) {
  outs() << "removed " << removed.files << " files, " << removed.bytes
         << " bytes\n";
  return Status();
}

static Status pruneEntries(DiskCache &cache) {
  std::optional<uint64_t> most =
      sizeWords.empty() ? cache.limit() : readBytes(sizeWords);
  if (!most)
    return Status(ErrorCode::InvalidArgument,
                  "--size is '" + sizeWords +
                      "', expected bytes such as 1048576, 100M or 2G");
  return say(cache.prune(*most));
}

static Status clearEntries(DiskCache &cache) { return say(cache.clear()); }

Status tool::runCache() {
  DiskCache &cache = DiskCache::shared();
  if (cache.path().empty())
    return Status(ErrorCode::NotFound,
                  "there is no cache on disk: NIBBLE_CACHE is off, or neither "
                  "NIBBLE_CACHE_DIR, XDG_CACHE_HOME nor HOME is set");
  auto run = StringSwitch<Status (*)(DiskCache &)>(action)
                 .Case("path", printPath)
                 .Case("ls", listEntries)
                 .Case("verify", verifyEntries)
                 .Case("prune", pruneEntries)
                 .Case("clear", clearEntries)
                 .Default(nullptr);
  if (!run)
    return Status(ErrorCode::InvalidArgument,
                  "there is no action '" + action +
                      "'; actions are path, ls, verify, prune and clear");
  Status status = run(cache);
  outs().flush();
  return status;
}
