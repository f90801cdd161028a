//===- KernelConfigTest.cpp - Configurations as text ----------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Transforms/KernelConfig.h"
#include <gtest/gtest.h>
#include <initializer_list>
#include <set>

using namespace nibble;

namespace {

TEST(KernelConfig, TextRoundTrips) {
  KernelConfig config;
  config.params = {{"BLOCK_M", 64}, {"BITS", 4}};
  config.types = {{"X", "f16"}, {"T", "bf16"}};
  config.multiples = {{"N", 128}};
  config.alignments = {{"x", 16}};
  config.warps = 8;
  config.stages = 3;
  config.packed = 128;
  config.prefetch = 2;
  config.splits = 4;
  config.overlap = 1;
  config.most = {{"K", 4096}, {"M", 4}};
  config.held = true;
  Result<KernelConfig> again = KernelConfig::parse(config.str());
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(*again, config);
  EXPECT_EQ(again->str(), config.str());
}

/// Keys of kernels hold this text: what differs has to be in it.
TEST(KernelConfig, NoWordIsLostWithoutPacked) {
  KernelConfig ordinary;
  EXPECT_EQ(ordinary.str(), "warps=4 stages=1");
  std::set<std::string> texts = {ordinary.str()};
  for (auto change : std::initializer_list<void (*)(KernelConfig &)>{
           [](KernelConfig &c) { c.prefetch = 0; },
           [](KernelConfig &c) { c.prefetch = 2; },
           [](KernelConfig &c) { c.splits = 2; },
           [](KernelConfig &c) { c.wgmma = true; },
           [](KernelConfig &c) { c.overlap = true; },
           [](KernelConfig &c) { c.held = true; },
           [](KernelConfig &c) { c.most["K"] = 64; },
           [](KernelConfig &c) { c.packed = 64; },
           [](KernelConfig &c) { c.stages = 2; }}) {
    KernelConfig config;
    change(config);
    EXPECT_TRUE(texts.insert(config.str()).second) << config.str();
    Result<KernelConfig> again = KernelConfig::parse(config.str());
    ASSERT_TRUE(again.ok()) << again.status().message();
    EXPECT_EQ(*again, config) << config.str();
  }
}

TEST(KernelConfig, ReadsThePipelinesWords) {
  Result<KernelConfig> config = KernelConfig::parse("packed=64 prefetch=0"),
                       wgmma = KernelConfig::parse(
                           "packed=64 prefetch=0 wgmma=1 stages=5");
  ASSERT_TRUE(config.ok() && wgmma.ok());
  EXPECT_EQ(config->prefetch, 0);
  EXPECT_FALSE(config->wgmma);
  EXPECT_TRUE(wgmma->wgmma);
  for (const KernelConfig &each : {*config, *wgmma}) {
    Result<KernelConfig> again = KernelConfig::parse(each.str());
    ASSERT_TRUE(again.ok()) << again.status().message();
    EXPECT_EQ(*again, each) << each.str();
  }
  EXPECT_NE(config->str(), wgmma->str());
}

TEST(KernelConfig, OrderAndSeparatorsDoNotMatter) {
  Result<KernelConfig> a = KernelConfig::parse("A=1 B=2 N%4"),
                       b = KernelConfig::parse("N%4,B=2,\tA=1");
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(*a, *b);
  EXPECT_EQ(a->str(), b->str());
}

TEST(KernelConfig, ErrorsNameTheWord) {
  for (const char *word :
       {"A", "=4", "A=", "N%x", "N%0", "warps=0", "x@-1", "prefetch=33",
        "prefetch=-1", "wgmma=2", "packed=0", "overlap=2", "splits=3", "held=2",
        "K<4", "K<=", "K<=0", "<=4", "K<=x", "held", "<", "K<", "N%2147483649",
        "x@9223372036854775807",
        // No types, but numbers gone wrong.
        "BITS=99999999999999999999", "BLOCK_K=1x", "BLOCK_K=-1x", "GROUP_M=+8",
        "warps=99999999999999999999",
        // Given twice.
        "B=3", "B=f16"}) {
    Result<KernelConfig> config =
        KernelConfig::parse(std::string("B=2 ") + word);
    ASSERT_FALSE(config.ok()) << word;
    EXPECT_EQ(config.status().code(), ErrorCode::InvalidArgument);
    EXPECT_NE(config.status().message().find("'" + std::string(word) + "'"),
              std::string::npos)
        << config.status().message();
  }
}

TEST(KernelConfig, EveryWordIsGivenOnce) {
  for (const char *word : {"BLOCK_M=64", "X=f16", "N%128", "x@16", "warps=4",
                           "stages=2", "packed=128", "prefetch=2", "wgmma=1",
                           "splits=2", "overlap=1", "held=1", "K<=4"}) {
    Result<KernelConfig> config =
        KernelConfig::parse(std::string(word) + " A=1 " + word);
    ASSERT_FALSE(config.ok()) << word;
    EXPECT_EQ(config.status().message(),
              "configuration word '" + std::string(word) + "' is given twice");
  }
  EXPECT_TRUE(KernelConfig::parse("N=1 N%2 N@4 N<=8").ok());
}

} // namespace
