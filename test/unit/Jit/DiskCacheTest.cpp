//===- DiskCacheTest.cpp - Entries on disk, whole or not ------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Jit/DiskCache.h"
#include "../TestFolder.h"
#include "Jit/KernelFile.h"
#include "Jit/KernelStore.h"
#include "Jit/KeyLock.h"
#include "Support/Digest.h"
#include "Support/Files.h"
#include "nibble/JitKernel.h"
#include <fcntl.h>
#include <gtest/gtest.h>
#include <random>
#include <sys/stat.h>
#include <thread>

using namespace nibble;
using namespace nibble::test;

namespace {

std::string randomBytes(std::mt19937 &random, size_t size) {
  std::string bytes(size, '\0');
  for (char &byte : bytes)
    byte = static_cast<char>(random());
  return bytes;
}

/// A random entry and its key.
std::pair<std::string, CacheEntry> randomEntry(std::mt19937 &random,
                                               size_t size = 300) {
  CacheEntry entry = {llvm::json::Object{{"kind", "test"}, {"n", random()}},
                      randomBytes(random, size)};
  return {digestOf({entry.code}), std::move(entry)};
}

std::string fileOf(const DiskCache &cache, const std::string &key,
                   const char *ending = ".entry") {
  return cache.path() + "/" + key + ending;
}

void overwrite(const std::string &path, const std::string &bytes) {
  ASSERT_TRUE(writeFile(path, {bytes}).ok());
}

void makeOlder(const std::string &path, int64_t seconds) {
  timespec times[2] = {};
  clock_gettime(CLOCK_REALTIME, &times[0]);
  times[0].tv_sec -= seconds;
  times[1] = times[0];
  ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
}

TEST(CacheEntry, EveryOtherFileIsRefused) {
  std::mt19937 random(std::random_device{}());
  auto [key, entry] = randomEntry(random);
  std::string bytes = encodeEntry(key, entry);
  Result<CacheEntry> same = decodeEntry(key, bytes);
  ASSERT_TRUE(same.ok()) << same.status().message();
  EXPECT_EQ(same->code, entry.code);
  EXPECT_EQ(same->about.getInteger("n"), entry.about.getInteger("n"));
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decodeEntry(key, bytes.substr(0, size)).ok()) << size;
  EXPECT_FALSE(decodeEntry(key, bytes + '\0').ok());
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string changed = bytes;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ 1 << bit % 8);
    EXPECT_FALSE(decodeEntry(key, changed).ok()) << bit;
  }
  for (int i = 0; i < 200; ++i)
    EXPECT_FALSE(decodeEntry(key, randomBytes(random, random() % 400)).ok());
  EXPECT_FALSE(decodeEntry(digestOf({"another"}), bytes).ok());
}

TEST(DiskCache, KeepsEntries) {
  std::mt19937 random(std::random_device{}());
  TestFolder folder;
  DiskCache cache(folder / "not/there/yet", 1 << 20);
  auto [key, entry] = randomEntry(random);
  EXPECT_FALSE(cache.find(key));
  cache.store(key, entry);
  // Any other cache on the folder sees it, too.
  DiskCache other(folder / "not/there/yet", 1 << 20);
  for (DiskCache *each : {&cache, &other}) {
    std::optional<CacheEntry> found = each->find(key);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->code, entry.code);
  }
  ASSERT_EQ(cache.list().size(), 1u);
  EXPECT_EQ(cache.list()[0].key, key);
  EXPECT_EQ(cache.clear().files, 1u);
  EXPECT_FALSE(cache.find(key));
}

TEST(DiskCache, NewEntriesReplaceNone) {
  std::mt19937 random(std::random_device{}());
  TestFolder folder;
  DiskCache cache(folder.path(), 1 << 20), none("", 1 << 20);
  auto [key, entry] = randomEntry(random);
  CacheEntry other = entry;
  other.code += "!";
  EXPECT_TRUE(cache.storeNew(key, entry));
  EXPECT_FALSE(cache.storeNew(key, other));
  EXPECT_EQ(cache.find(key)->code, entry.code);
  EXPECT_EQ(cache.list().size(), 1u);
  EXPECT_TRUE(none.storeNew(key, entry));
}

TEST(DiskCache, SetsChangedEntriesAside) {
  std::mt19937 random(std::random_device{}());
  TestFolder folder;
  DiskCache cache(folder.path(), 1 << 20);
  for (int i = 0; i < 40; ++i) {
    auto [key, entry] = randomEntry(random);
    cache.store(key, entry);
    std::string bytes = *readFile(fileOf(cache, key));
    if (i % 2)
      bytes.resize(random() % bytes.size());
    else
      bytes[random() % bytes.size()] ^= static_cast<char>(1 + random() % 255);
    overwrite(fileOf(cache, key), bytes);
    testing::internal::CaptureStderr();
    EXPECT_FALSE(cache.find(key));
    EXPECT_NE(testing::internal::GetCapturedStderr().find(key),
              std::string::npos);
    EXPECT_EQ(*readFile(fileOf(cache, key, ".bad")), bytes);
    EXPECT_FALSE(cache.find(key));
    // And it is made anew.
    Result<DiskCache::Found> found = cache.findOrMake(
        key, [&, &made = entry] { return Result<CacheEntry>(made); });
    ASSERT_TRUE(found.ok());
    EXPECT_TRUE(found->made);
    EXPECT_TRUE(cache.find(key));
  }
  // An entry under another's name is not that other's.
  auto [a, entryA] = randomEntry(random);
  auto [b, entryB] = randomEntry(random);
  cache.store(a, entryA);
  overwrite(fileOf(cache, b), *readFile(fileOf(cache, a)));
  testing::internal::CaptureStderr();
  EXPECT_FALSE(cache.find(b));
  testing::internal::GetCapturedStderr();
  EXPECT_TRUE(cache.find(a));
}

/// Nobody has memory for what a damaged file system makes of a file's size.
TEST(DiskCache, HugeFilesAreNotRead) {
  std::mt19937 random(std::random_device{}());
  TestFolder folder;
  DiskCache cache(folder.path(), 1 << 20);
  auto [key, entry] = randomEntry(random);
  cache.store(key, entry);
  ASSERT_EQ(truncate(fileOf(cache, key).c_str(), off_t(1) << 40), 0);
  testing::internal::CaptureStderr();
  EXPECT_FALSE(cache.find(key));
  testing::internal::GetCapturedStderr();
  EXPECT_EQ(cache.list()[0].kind, DiskCache::File::Bad);

  std::string path = folder / "kernels.nbl";
  ASSERT_TRUE(writeKernelFile(path, {{key, entry}}).ok());
  std::string magic = readFile(path)->substr(0, 17);
  overwrite(path, magic);
  ASSERT_EQ(truncate(path.c_str(), off_t(1) << 40), 0);
  EXPECT_EQ(KernelFile::open(path).status().code(), ErrorCode::InvalidFile);
}

TEST(DiskCache, FailuresAreSaidOnce) {
  std::mt19937 random(std::random_device{}());
  DiskCache cache("/proc/no/such/place", 1 << 20);
  auto [key, entry] = randomEntry(random);
  testing::internal::CaptureStderr();
  for (int i = 0; i < 3; ++i) {
    Result<DiskCache::Found> found = cache.findOrMake(
        key, [&, &made = entry] { return Result<CacheEntry>(made); });
    ASSERT_TRUE(found.ok());
    EXPECT_TRUE(found->made);
    EXPECT_EQ(found->entry.code, entry.code);
  }
  std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
  EXPECT_NE(said.find("/proc/no/such/place"), std::string::npos) << said;
  DiskCache none("", 1 << 20);
  testing::internal::CaptureStderr();
  none.store(key, entry);
  EXPECT_FALSE(none.find(key));
  EXPECT_TRUE(none.list().empty());
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(DiskCache, FailuresOfMakingAreNotKept) {
  TestFolder folder;
  DiskCache cache(folder.path(), 1 << 20);
  std::string key = digestOf({"a"});
  Result<DiskCache::Found> found =
      cache.findOrMake(key, []() -> Result<CacheEntry> {
        return Status(ErrorCode::CompileError, "no");
      });
  EXPECT_EQ(found.status().message(), "no");
  EXPECT_TRUE(cache.list().empty());
}

TEST(DiskCache, KeepsWhatWasUsedLast) {
  std::mt19937 random(std::random_device{}());
  TestFolder folder;
  DiskCache cache(folder.path(), 5000);
  std::vector<std::string> keys;
  for (int i = 0; i < 4; ++i) {
    auto [key, entry] = randomEntry(random, 1000);
    keys.push_back(key);
    cache.store(key, entry);
    makeOlder(fileOf(cache, key), 10000 * (4 - i));
  }
  EXPECT_TRUE(cache.find(keys[0])); // now the newest
  auto [key, entry] = randomEntry(random, 1000);
  cache.store(key, entry);
  EXPECT_TRUE(cache.find(keys[0]));
  EXPECT_FALSE(cache.find(keys[1]));
  EXPECT_TRUE(cache.find(keys[2]));
  EXPECT_TRUE(cache.find(keys[3]));
  EXPECT_TRUE(cache.find(key));
  // One that is larger than all of it is not kept.
  auto [large, largeEntry] = randomEntry(random, 6000);
  cache.store(large, largeEntry);
  EXPECT_FALSE(cache.find(large));
  EXPECT_EQ(cache.list().size(), 4u);
  EXPECT_EQ(cache.prune(0).files, 4u);
}

TEST(DiskCache, RemovesOnlyItsOwnFiles) {
  std::mt19937 random(std::random_device{}());
  TestFolder folder;
  DiskCache cache(folder.path(), 1 << 20);
  auto [key, entry] = randomEntry(random);
  cache.store(key, entry);
  std::string mine = cache.path() + "/mine.txt";
  std::string young = fileOf(cache, key, ".entry.tmp-0123abcd");
  std::string old = fileOf(cache, key, ".entry.tmp-89abcdef");
  std::string bad = fileOf(cache, key, ".bad");
  for (const std::string &path : {mine, young, old, bad})
    overwrite(path, "x");
  makeOlder(old, 7200);
  EXPECT_EQ(cache.prune(1 << 20).files, 1u); // old
  makeOlder(bad, 100000);
  EXPECT_EQ(cache.prune(1 << 20).files, 1u); // bad
  EXPECT_TRUE(cache.find(key));
  EXPECT_EQ(cache.clear().files, 1u); // the entry
  EXPECT_TRUE(readFile(young).ok());
  EXPECT_TRUE(readFile(mine).ok());
}

TEST(KeyLock, HoldsOthersUp) {
  TestFolder folder;
  std::string file = folder / "lock", a = digestOf({"a"}), b = digestOf({"b"});
  KeyLock second, third;
  {
    KeyLock first;
    EXPECT_TRUE(first.take(file, a));
    EXPECT_TRUE(first.isHeld());
    EXPECT_FALSE(second.take(file, a));
    EXPECT_FALSE(second.isHeld());
    EXPECT_TRUE(third.take(file, b));
  }
  EXPECT_TRUE(second.take(file, a));
  KeyLock nowhere;
  EXPECT_TRUE(nowhere.take("/proc/no/such/place", a));
  EXPECT_FALSE(nowhere.isHeld());
}

TEST(DiskCache, OneMakesAndOthersWait) {
  std::mt19937 random(std::random_device{}());
  TestFolder folder;
  auto [key, entry] = randomEntry(random);
  std::atomic<int> made = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&, &key = key, &entry = entry] {
      DiskCache cache(folder.path(), 1 << 20); // as another process has one
      Result<DiskCache::Found> found = cache.findOrMake(key, [&] {
        ++made;
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        return Result<CacheEntry>(entry);
      });
      EXPECT_TRUE(found.ok() && found->entry.code == entry.code);
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(made, 1);
}

TEST(KernelStore, CubinsAreMadeOncePerAssembler) {
  std::mt19937 random(std::random_device{}());
  TestFolder folder;
  CompiledKernel kernel;
  kernel.name = "k";
  kernel.target = "sm_90a";
  kernel.code = "// ptx " + std::to_string(random());
  int made = 0;
  std::string cubin;
  auto find = [&](const std::string &architecture, const std::string &name) {
    DiskCache cache(folder.path(), 1 << 20);
    auto run = [&](const CompiledKernel &given) -> Result<std::string> {
      EXPECT_EQ(given.code, kernel.code);
      ++made;
      return cubin = randomBytes(random, 200);
    };
    Result<std::string> found =
        findCubin(cache, kernel, architecture, {name, run});
    EXPECT_TRUE(found.ok());
    EXPECT_EQ(*found, cubin);
    return made;
  };
  EXPECT_EQ(find("sm_90", "driver 12.8 570.1"), 1);
  EXPECT_EQ(find("sm_90", "driver 12.8 570.1"), 1);
  EXPECT_EQ(find("sm_90", "driver 13.0 580.1"), 2);
  EXPECT_EQ(find("sm_100", "driver 13.0 580.1"), 3);
  kernel.code += "\n";
  EXPECT_EQ(find("sm_100", "driver 13.0 580.1"), 4);
}

TEST(KernelFile, ServesBeforeEverythingElse) {
  std::mt19937 random(std::random_device{}());
  TestFolder folder;
  std::string path = folder / "kernels.nbl";
  CompiledKernel kernel;
  kernel.target = "sm_90a";
  kernel.code = "// ptx " + std::to_string(random());
  std::map<std::string, CacheEntry> entries;
  for (int i = 0; i < 5; ++i)
    entries.insert(randomEntry(random, random() % 1000));
  std::string cubin = randomBytes(random, 100);
  entries[cubinKey(kernel.code, "sm_90a", "")] =
      cubinEntry(kernel, "ptxas 13", cubin);
  ASSERT_TRUE(writeKernelFile(path, entries).ok());
  Result<std::unique_ptr<const KernelFile>> file = KernelFile::open(path);
  ASSERT_TRUE(file.ok()) << file.status().message();
  for (const auto &[key, entry] : entries) {
    std::optional<CacheEntry> found = (*file)->find(key);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->code, entry.code);
  }
  EXPECT_FALSE((*file)->find(digestOf({"another"})));

  ASSERT_TRUE(loadKernels(path).ok());
  DiskCache none("", 0);
  auto never = [](const CompiledKernel &) -> Result<std::string> {
    return Status(ErrorCode::Internal, "asked for");
  };
  Result<std::string> found =
      findCubin(none, kernel, "sm_90", {"driver", never});
  ASSERT_TRUE(found.ok()) << found.status().message();
  EXPECT_EQ(*found, cubin);
}

TEST(KernelFile, DamageIsAnErrorOrAMiss) {
  std::mt19937 random(std::random_device{}());
  TestFolder folder;
  std::string path = folder / "kernels.nbl";
  std::map<std::string, CacheEntry> entries;
  for (int i = 0; i < 3; ++i)
    entries.insert(randomEntry(random, 100));
  ASSERT_TRUE(writeKernelFile(path, entries).ok());
  const std::string bytes = *readFile(path);
  auto check = [&](const std::string &changed) {
    overwrite(path, changed);
    Result<std::unique_ptr<const KernelFile>> file = KernelFile::open(path);
    if (!file.ok()) {
      EXPECT_NE(file.status().message().find(path), std::string::npos);
      return;
    }
    for (const auto &[key, entry] : entries)
      if (std::optional<CacheEntry> found = (*file)->find(key)) {
        EXPECT_EQ(found->code, entry.code);
      }
  };
  testing::internal::CaptureStderr();
  for (size_t size = 0; size < bytes.size(); size += 1 + random() % 7)
    check(bytes.substr(0, size));
  for (int i = 0; i < 400; ++i) {
    std::string changed = bytes;
    changed[random() % bytes.size()] ^= static_cast<char>(1 << random() % 8);
    check(changed);
  }
  testing::internal::GetCapturedStderr();

  EXPECT_EQ(loadKernels(folder / "none").code(), ErrorCode::NotFound);
  EXPECT_EQ(loadKernels(folder.path()).code(), ErrorCode::InvalidFile);
  // Nobody will ever write to it.
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  Status pipe = loadKernels(folder / "pipe");
  EXPECT_EQ(pipe.code(), ErrorCode::InvalidFile);
  EXPECT_EQ(pipe.message(),
            "'" + (folder / "pipe") + "' is not a regular file");
  overwrite(path, "hello");
  EXPECT_EQ(loadKernels(path).code(), ErrorCode::InvalidFile);
  std::string line = R"({"build":"another","entries":[]})";
  overwrite(path, "nibble-kernels-1\n" + digestOf({line}) + "\n" + line + "\n");
  EXPECT_EQ(loadKernels(path).code(), ErrorCode::Unsupported);
}

} // namespace
