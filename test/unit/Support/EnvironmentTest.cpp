//===- EnvironmentTest.cpp - nibble's environment variables ---------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Support/Environment.h"
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

TEST(Environment, ListsAndLevels) {
  Environment none = read({});
  EXPECT_TRUE(none.kernelFiles.empty());
  EXPECT_TRUE(none.dumpStages.empty());
  EXPECT_EQ(none.dumpFolder, "nibble-dump");
  EXPECT_EQ(none.logLevel, LogLevel::Warning);
  EXPECT_TRUE(none.problems.empty());
  Environment some = read({{"NIBBLE_KERNELS", "a.nbl:/b/c.nbl"},
                           {"NIBBLE_DUMP", "llvm,ptx"},
                           {"NIBBLE_DUMP_DIR", "/d"},
                           {"NIBBLE_OVERRIDE", "/o"},
                           {"NIBBLE_LOG", "debug"}});
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
