//===- CacheProcessTest.cpp - The cache among processes -------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Starts processes that share a cache, all at once, and kills them, cuts their
// disk, changes their files. NIBBLE_TEST_ROUNDS repeats the rounds that depend
// on chance more often.
//
//===----------------------------------------------------------------------===//

#include "../TestFolder.h"
#include "Jit/MeasuredTimes.h"
#include "Support/Digest.h"
#include "Support/Files.h"
#include "llvm/Support/FileSystem.h"
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <random>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace nibble;
using namespace nibble::test;

namespace {

constexpr int kernelCount = 3;

int rounds(int ordinary) {
  const char *given = std::getenv("NIBBLE_TEST_ROUNDS");
  return given ? std::atoi(given) : ordinary;
}

/// What execve() takes for `strings`.
std::vector<char *> pointersTo(std::vector<std::string> &strings) {
  std::vector<char *> pointers;
  for (std::string &each : strings)
    pointers.push_back(each.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// One cache-worker, with `variables` as its whole environment.
class Worker {
public:
  Worker(const std::string &log, std::vector<std::string> variables,
         rlim_t mostFileBytes = RLIM_INFINITY,
         std::vector<std::string> words = {"kernels",
                                           std::to_string(kernelCount)})
      : log(log) {
    words.insert(words.begin(), "cache-worker");
    std::vector<char *> environment = pointersTo(variables),
                        arguments = pointersTo(words);
    process = fork();
    if (process != 0)
      return;
    int out = open((log + ".out").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int err = open((log + ".err").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    rlimit limit = {mostFileBytes, mostFileBytes};
    setrlimit(RLIMIT_FSIZE, &limit);
    execve(NIBBLE_CACHE_WORKER, arguments.data(), environment.data());
    _exit(127);
  }

  void kill() const { ::kill(process, SIGKILL); }

  /// Waits for its end; true if it got all kernels right.
  bool wait() {
    int status = 0;
    waitpid(process, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

  /// Where its kernels came from, in order.
  std::vector<std::string> origins() const {
    std::istringstream lines(*readFile(log + ".out"));
    std::vector<std::string> all;
    for (std::string origin, time; lines >> origin >> time;)
      all.push_back(origin);
    return all;
  }
  /// From asking for the first kernel to its result.
  double firstMilliseconds() const {
    std::istringstream line(*readFile(log + ".out"));
    std::string origin;
    double time = 1e9;
    line >> origin >> time;
    return time;
  }
  std::string errors() const { return *readFile(log + ".err"); }

private:
  std::string log;
  pid_t process;
};

std::vector<std::string> cacheIn(const TestFolder &folder) {
  return {"NIBBLE_CACHE_DIR=" + folder / "cache"};
}

const std::vector<std::string> allCompiled(kernelCount, "compiled");
const std::vector<std::string> allCached(kernelCount, "cache");

TEST(CacheProcess, TheSecondProcessCompilesNothing) {
  TestFolder folder;
  for (const auto &expected : {allCompiled, allCached, allCached}) {
    Worker worker(folder / "w", cacheIn(folder));
    EXPECT_TRUE(worker.wait()) << worker.errors();
    EXPECT_EQ(worker.origins(), expected);
    EXPECT_EQ(worker.errors(), "");
  }
}

// A process that finds its kernels has no use for MLIR or LLVM's optimiser, and
// must not pay for starting them.
TEST(CacheProcess, TheFirstResultIsThereInTenMilliseconds) {
  TestFolder folder;
  ASSERT_TRUE(Worker(folder / "w", cacheIn(folder)).wait());
  double best = 1e9;
  for (int i = 0; i < 10; ++i) {
    Worker worker(folder / "w", cacheIn(folder));
    EXPECT_TRUE(worker.wait()) << worker.errors();
    EXPECT_EQ(worker.origins(), allCached);
    best = std::min(best, worker.firstMilliseconds());
  }
  RecordProperty("milliseconds", std::to_string(best));
  EXPECT_LT(best, 10);
}

TEST(CacheProcess, SixteenAtOnceCompileEachKernelOnce) {
  for (int round = 0; round < rounds(3); ++round) {
    TestFolder folder;
    std::vector<Worker> workers;
    for (int i = 0; i < 16; ++i)
      workers.emplace_back(folder / ("w" + std::to_string(i)), cacheIn(folder));
    int compiled = 0;
    for (Worker &worker : workers) {
      EXPECT_TRUE(worker.wait()) << worker.errors();
      EXPECT_EQ(worker.errors(), "");
      for (const std::string &origin : worker.origins())
        compiled += origin == "compiled";
    }
    EXPECT_EQ(compiled, kernelCount);
  }
}

TEST(CacheProcess, KilledAtAnyPoint) {
  std::mt19937 random(std::random_device{}());
  TestFolder folder;
  for (int round = 0; round < rounds(12); ++round) {
    Worker worker(folder / "w", cacheIn(folder));
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 120));
    worker.kill();
    worker.wait();
    DiskCache cache(folder / "cache", 1 << 30);
    for (const DiskCache::File &file : cache.list()) {
      EXPECT_NE(file.kind, DiskCache::File::Bad);
      if (file.kind == DiskCache::File::Entry) {
        EXPECT_TRUE(cache.find(file.key)) << file.path;
      }
    }
    if (random() % 2)
      cache.clear();
  }
  Worker last(folder / "w", cacheIn(folder));
  EXPECT_TRUE(last.wait()) << last.errors();
  EXPECT_EQ(last.errors(), "");
}

TEST(CacheProcess, ChangedFilesAreMadeAnew) {
  std::mt19937 random(std::random_device{}());
  TestFolder folder;
  for (int round = 0; round < rounds(6); ++round) {
    Worker first(folder / "w", cacheIn(folder));
    EXPECT_TRUE(first.wait()) << first.errors();
    DiskCache cache(folder / "cache", 1 << 30);
    std::vector<std::string> expected;
    int changed = 0;
    for (const DiskCache::File &file : cache.list()) {
      if (file.kind != DiskCache::File::Entry || random() % 2)
        continue;
      std::string bytes = *readFile(file.path);
      if (random() % 2)
        bytes.resize(random() % bytes.size());
      else
        bytes[random() % bytes.size()] ^= static_cast<char>(1 << random() % 8);
      ASSERT_TRUE(writeFile(file.path, {bytes}).ok());
      ++changed;
    }
    Worker second(folder / "w", cacheIn(folder));
    EXPECT_TRUE(second.wait()) << second.errors();
    int compiled = 0;
    for (const std::string &origin : second.origins())
      compiled += origin == "compiled";
    EXPECT_EQ(compiled, changed);
    std::string said = second.errors();
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), changed) << said;
  }
}

/// The variables of a worker whose files have `faults`; see SystemFaults.cpp.
std::vector<std::string> cacheWith(const TestFolder &folder,
                                   const std::string &faults) {
  std::vector<std::string> all = cacheIn(folder);
  all.push_back("LD_PRELOAD=" NIBBLE_SYSTEM_FAULTS);
  all.push_back("SYSTEM_FAULTS=" + faults);
  return all;
}

TEST(CacheProcess, WithoutLocksEachMayCompile) {
  for (const char *faults : {"no-locks", "no-locks-at-all"}) {
    TestFolder folder;
    std::vector<Worker> workers;
    for (int i = 0; i < 8; ++i)
      workers.emplace_back(folder / ("w" + std::to_string(i)),
                           cacheWith(folder, faults));
    for (Worker &worker : workers) {
      EXPECT_TRUE(worker.wait()) << worker.errors();
      EXPECT_EQ(worker.errors(), "");
    }
    EXPECT_EQ(DiskCache(folder / "cache", 1 << 30).list().size(),
              size_t(kernelCount));
    Worker last(folder / "w", cacheWith(folder, faults));
    EXPECT_TRUE(last.wait()) << last.errors();
    EXPECT_EQ(last.origins(), allCached);
  }
}

TEST(CacheProcess, RenamesThatAreSaidToHaveFailed) {
  TestFolder folder;
  Worker done(folder / "w", cacheWith(folder, "lost-answer"));
  EXPECT_TRUE(done.wait());
  EXPECT_EQ(done.errors(), "");
  Worker second(folder / "w", cacheIn(folder));
  EXPECT_TRUE(second.wait());
  EXPECT_EQ(second.origins(), allCached);

  // And those that have.
  TestFolder other;
  Worker failed(other / "w", cacheWith(other, "no-rename"));
  EXPECT_TRUE(failed.wait());
  EXPECT_EQ(failed.origins(), allCompiled);
  EXPECT_NE(failed.errors().find("not written any more"), std::string::npos)
      << failed.errors();
  EXPECT_TRUE(DiskCache(other / "cache", 1 << 30).list().empty());
}

TEST(CacheProcess, StaleFilesAreReadAgainOrMissed) {
  TestFolder folder;
  EXPECT_TRUE(Worker(folder / "w", cacheIn(folder)).wait());
  for (auto [faults, expected] : {std::pair("stale-once", allCached),
                                  {"stale", allCompiled},
                                  {"none", allCached}}) {
    Worker worker(folder / "w", cacheWith(folder, faults));
    EXPECT_TRUE(worker.wait());
    EXPECT_EQ(worker.errors(), "");
    EXPECT_EQ(worker.origins(), expected) << faults;
  }
  // Nothing was set aside.
  EXPECT_EQ(DiskCache(folder / "cache", 1 << 30).list().size(),
            size_t(kernelCount));
}

TEST(CacheProcess, AnyFaultsOfNetworkFileSystems) {
  for (int round = 0; round < rounds(3); ++round) {
    TestFolder folder;
    std::vector<Worker> workers;
    for (int i = 0; i < 8; ++i)
      workers.emplace_back(
          folder / ("w" + std::to_string(i)),
          cacheWith(folder, "no-locks,lost-answer,no-rename,stale,at-random"));
    for (Worker &worker : workers)
      EXPECT_TRUE(worker.wait()) << worker.errors();
    DiskCache cache(folder / "cache", 1 << 30);
    for (const DiskCache::File &file : cache.list()) {
      EXPECT_EQ(file.kind, DiskCache::File::Entry) << file.path;
      EXPECT_TRUE(cache.find(file.key)) << file.path;
    }
    Worker last(folder / "w", cacheIn(folder));
    EXPECT_TRUE(last.wait()) << last.errors();
    EXPECT_EQ(last.errors(), "");
  }
}

/// A process that adds `count` times of its own to those of one problem.
Worker timesWorker(const TestFolder &folder, const std::string &faults,
                   int count, const std::string &writer = "w") {
  return Worker(folder / writer, cacheWith(folder, faults), RLIM_INFINITY,
                {"times", std::to_string(count), writer});
}

size_t countTimes(const TestFolder &folder) {
  DiskCache cache(folder / "cache", 1 << 30);
  return findTimes(cache, digestOf({"problem"})).size();
}

TEST(CacheProcess, NoProcessLosesAnothersTimes) {
  for (const char *faults : {"none", "no-locks", "no-locks-at-all,lost-answer",
                             "no-locks,no-link", "no-locks,no-link,lost-answer",
                             "no-locks,no-link,lost-answer,stale,at-random"})
    for (int round = 0; round < rounds(2); ++round) {
      TestFolder folder;
      constexpr int writers = 10, each = 3;
      std::vector<Worker> workers;
      for (int i = 0; i < writers; ++i)
        workers.push_back(timesWorker(folder, faults, each, std::to_string(i)));
      for (Worker &worker : workers) {
        EXPECT_TRUE(worker.wait());
        EXPECT_EQ(worker.errors(), "");
      }
      EXPECT_EQ(countTimes(folder), size_t(writers * each)) << faults;
      for (const DiskCache::File &file :
           DiskCache(folder / "cache", 1 << 30).list())
        EXPECT_EQ(file.kind, DiskCache::File::Entry) << file.path;
    }
}

TEST(CacheProcess, TimesThatCannotBeReadStay) {
  TestFolder folder;
  EXPECT_TRUE(timesWorker(folder, "none", 3, "a").wait());
  EXPECT_TRUE(timesWorker(folder, "stale", 2, "b").wait());
  EXPECT_EQ(countTimes(folder), 5u);
}

TEST(CacheProcess, AProblemHasThirtyTwoParts) {
  // The last is not changed without a lock.
  for (auto [faults, expected] : {std::pair("none", 40u), {"no-locks", 32u}}) {
    TestFolder folder;
    Worker worker = timesWorker(folder, faults, 40);
    EXPECT_TRUE(worker.wait());
    EXPECT_EQ(worker.errors(), "");
    EXPECT_EQ(countTimes(folder), expected);
    EXPECT_EQ(DiskCache(folder / "cache", 1 << 30).list().size(), 32u);
  }
}

TEST(CacheProcess, TimesAreKeptWhereNoNameCanBeNew) {
  TestFolder folder;
  Worker worker = timesWorker(folder, "no-link,no-new-name", 3);
  EXPECT_TRUE(worker.wait());
  EXPECT_EQ(worker.errors(), "");
  EXPECT_EQ(countTimes(folder), 3u);
}

TEST(CacheProcess, ErrorsThatComeLate) {
  TestFolder folder;
  Worker worker(folder / "w", cacheWith(folder, "late-error"));
  EXPECT_TRUE(worker.wait());
  EXPECT_EQ(worker.origins(), allCompiled);
  std::string said = worker.errors();
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
  // Nothing got its name before it was known to be on the disk.
  EXPECT_TRUE(DiskCache(folder / "cache", 1 << 30).list().empty());
}

TEST(CacheProcess, ReadOnlyDisksAreRead) {
  TestFolder folder, empty;
  ASSERT_TRUE(Worker(folder / "w", cacheIn(folder)).wait());
  Worker reader(folder / "w", cacheWith(folder, "read-only"));
  EXPECT_TRUE(reader.wait());
  EXPECT_EQ(reader.origins(), allCached);
  EXPECT_EQ(reader.errors(), "");

  std::filesystem::create_directories(empty / "cache/v1");
  Worker writer(empty / "w", cacheWith(empty, "read-only"));
  EXPECT_TRUE(writer.wait());
  EXPECT_EQ(writer.origins(), allCompiled);
  std::string said = writer.errors();
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
  EXPECT_NE(said.find("Read-only file system"), std::string::npos) << said;
}

TEST(CacheProcess, WithoutThreadsWhatIsThereRuns) {
  TestFolder folder;
  Worker empty(folder / "w", cacheWith(folder, "no-threads"));
  EXPECT_FALSE(empty.wait());
  EXPECT_NE(empty.errors().find("no thread can be started: "),
            std::string::npos)
      << empty.errors();
  ASSERT_TRUE(Worker(folder / "w", cacheIn(folder)).wait());
  Worker full(folder / "w", cacheWith(folder, "no-threads"));
  EXPECT_TRUE(full.wait()) << full.errors();
  EXPECT_EQ(full.origins(), allCached);
}

TEST(CacheProcess, FullDisksAndNoHome) {
  TestFolder folder;
  // A file may have fewer bytes than an entry has: the write is cut somewhere,
  // as on a full disk.
  std::mt19937 random(std::random_device{}());
  std::string said;
  for (int round = 0; round < rounds(3); ++round) {
    Worker full(folder / "w", cacheIn(folder), 500 + random() % 3500);
    EXPECT_TRUE(full.wait()) << full.errors();
    EXPECT_EQ(full.origins(), allCompiled);
    said = full.errors();
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
    EXPECT_NE(said.find("the cache on disk is not written any more"),
              std::string::npos)
        << said;
    EXPECT_TRUE(DiskCache(folder / "cache", 1 << 30).list().empty());
  }

  Worker homeless(folder / "w", {});
  EXPECT_TRUE(homeless.wait());
  EXPECT_EQ(homeless.origins(), allCompiled);
  EXPECT_EQ(homeless.errors(), "");

  Worker nowhere(folder / "w", {"HOME=/proc/none"});
  EXPECT_TRUE(nowhere.wait());
  EXPECT_EQ(nowhere.origins(), allCompiled);
  said = nowhere.errors();
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;

  Worker off(folder / "w", {"HOME=" + folder.path(), "NIBBLE_CACHE=off"});
  EXPECT_TRUE(off.wait());
  EXPECT_EQ(off.errors(), "");
  EXPECT_FALSE(llvm::sys::fs::exists(folder / ".cache"));
}

} // namespace
