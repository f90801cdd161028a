//===- EnvironmentTest.cpp - nibble's environment variables ---------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Support/Environment.h"
#include "Support/Processors.h"
#include <gtest/gtest.h>
#include <map>

using namespace nibble;

namespace {

Environment read(std::map<std::string, std::string> variables) {
  return Environment::read([&](const char *name) -> const char * {
    auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(Environment, TheCachesFolder) {
  EXPECT_EQ(read({}).cacheFolder, "");
  EXPECT_EQ(read({{"HOME", "/home/a"}}).cacheFolder, "/home/a/.cache/nibble");
  EXPECT_EQ(read({{"HOME", "/a"}, {"XDG_CACHE_HOME", "/x"}}).cacheFolder,
            "/x/nibble");
  EXPECT_EQ(read({{"HOME", "/a"}, {"XDG_CACHE_HOME", ""}}).cacheFolder,
            "/a/.cache/nibble");
  EXPECT_EQ(read({{"HOME", "/a"}, {"NIBBLE_CACHE_DIR", "/c"}}).cacheFolder,
            "/c");
  EXPECT_EQ(
      read({{"NIBBLE_CACHE_DIR", "/c"}, {"NIBBLE_CACHE", "off"}}).cacheFolder,
      "");
  EXPECT_EQ(
      read({{"NIBBLE_CACHE_DIR", "/c"}, {"NIBBLE_CACHE", "on"}}).cacheFolder,
      "/c");
}

TEST(Environment, Sizes) {
  EXPECT_EQ(read({}).cacheBytes, uint64_t(1) << 30);
  EXPECT_EQ(read({{"NIBBLE_CACHE_SIZE", "0"}}).cacheBytes, 0u);
  EXPECT_EQ(read({{"NIBBLE_CACHE_SIZE", "12345"}}).cacheBytes, 12345u);
  EXPECT_EQ(read({{"NIBBLE_CACHE_SIZE", "7k"}}).cacheBytes, 7u << 10);
  EXPECT_EQ(read({{"NIBBLE_CACHE_SIZE", "20M"}}).cacheBytes, 20u << 20);
  EXPECT_EQ(read({{"NIBBLE_CACHE_SIZE", "5G"}}).cacheBytes, uint64_t(5) << 30);
  for (const char *wrong : {"x", "G", "-1", "1.5G", "18446744073709551615G"}) {
    Environment result = read({{"NIBBLE_CACHE_SIZE", wrong}});
    EXPECT_EQ(result.cacheBytes, uint64_t(1) << 30) << wrong;
    ASSERT_EQ(result.problems.size(), 1u) << wrong;
    EXPECT_NE(result.problems[0].find("NIBBLE_CACHE_SIZE is '" +
                                      std::string(wrong) + "', expected"),
              std::string::npos);
  }
}

TEST(Environment, Threads) {
  EXPECT_EQ(read({}).threads, 0u);
  EXPECT_EQ(read({{"NIBBLE_THREADS", "3"}}).threads, 3u);
  for (const char *wrong : {"0", "-1", "1025", "two", "99999999999"}) {
    Environment result = read({{"NIBBLE_THREADS", wrong}});
    EXPECT_EQ(result.threads, 0u) << wrong;
    ASSERT_EQ(result.problems.size(), 1u) << wrong;
    EXPECT_EQ(result.problems[0], "NIBBLE_THREADS is '" + std::string(wrong) +
                                      "', expected a number from 1 to 1024; "
                                      "it is ignored");
  }
}

TEST(Processors, FollowTheContainersQuota) {
  EXPECT_EQ(processorsOfQuota("200000 100000\n"), 2u);
  EXPECT_EQ(processorsOfQuota("150000 100000"), 2u);
  EXPECT_EQ(processorsOfQuota("1000 100000"), 1u);
  EXPECT_EQ(processorsOfQuota("0 100000"), 1u);
  for (const char *none : {"", "max 100000", "100000", "100000 0", "1 2 3"})
    EXPECT_EQ(processorsOfQuota(none), std::nullopt) << none;
  EXPECT_GE(computeThreads(/*cores=*/true), 1u);
  EXPECT_GE(computeThreads(/*cores=*/false), computeThreads(/*cores=*/true));
}

TEST(Environment, ListsAndLevels) {
  Environment none = read({});
  EXPECT_TRUE(none.kernelFiles.empty());
  EXPECT_TRUE(none.dumpStages.empty());
  EXPECT_EQ(none.dumpFolder, "nibble-dump");
  EXPECT_EQ(none.logLevel, LogLevel::Warning);
  EXPECT_FALSE(none.printsTuning);
  EXPECT_TRUE(none.problems.empty());
  Environment some = read({{"NIBBLE_KERNELS", "a.nbl:/b/c.nbl"},
                           {"NIBBLE_DUMP", "llvm,ptx"},
                           {"NIBBLE_DUMP_DIR", "/d"},
                           {"NIBBLE_OVERRIDE", "/o"},
                           {"NIBBLE_PRINT_TUNING", "1"},
                           {"NIBBLE_LOG", "debug"}});
  EXPECT_TRUE(some.printsTuning);
  EXPECT_FALSE(read({{"NIBBLE_PRINT_TUNING", "0"}}).printsTuning);
  EXPECT_EQ(read({{"NIBBLE_PRINT_TUNING", "yes"}}).problems.size(), 1u);
  EXPECT_EQ(some.kernelFiles, (std::vector<std::string>{"a.nbl", "/b/c.nbl"}));
  EXPECT_EQ(some.dumpStages, (std::vector<std::string>{"llvm", "ptx"}));
  EXPECT_EQ(some.dumpFolder, "/d");
  EXPECT_EQ(some.overrideFolder, "/o");
  EXPECT_EQ(some.logLevel, LogLevel::Debug);
  EXPECT_EQ(
      read({{"NIBBLE_LOG", "loud"}, {"NIBBLE_CACHE", "maybe"}}).problems.size(),
      2u);
}

} // namespace
