//===- KernelRecordTest.cpp - Compiled kernels as entries -----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Jit/KernelRecord.h"
#include "Compiler/RequestKey.h"
#include <gtest/gtest.h>

using namespace nibble;

namespace {

CompiledKernel compiled(const std::string &target) {
  CompileRequest request;
  request.kernel = "matmul_248";
  request.target = target;
  request.config =
      "BITS=4 GROUP_SIZE=128 ACT_ORDER=0 HAS_BIAS=0 GROUP_M=8 "
      "X=f16 T=f16 S=f16 "
      "Y=f16 N%64 K%64 K<=8192 x@16 BLOCK_M=16 BLOCK_N=64 BLOCK_K=16";
  Result<CompiledKernel> kernel = compile(request);
  EXPECT_TRUE(kernel.ok()) << kernel.status().message();
  return *kernel;
}

TEST(KernelRecord, ComesBackWhole) {
  for (const char *target : {"sm_80", "host"}) {
    CompiledKernel kernel = compiled(target);
    kernel.splits = 2; // as no kernel of the test has
    kernel.overlaps = true;
    Result<CompiledKernel> back = fromEntry(toEntry(kernel), "here");
    ASSERT_TRUE(back.ok()) << back.status().message();
    EXPECT_EQ(back->name, kernel.name);
    EXPECT_EQ(back->target, target);
    EXPECT_EQ(back->config, kernel.config);
    EXPECT_EQ(back->schedule, kernel.schedule);
    EXPECT_EQ(back->mmaRefused, kernel.mmaRefused);
    EXPECT_TRUE(back->interface == kernel.interface);
    EXPECT_EQ(back->threads, kernel.threads);
    EXPECT_EQ(back->sharedBytes, kernel.sharedBytes);
    EXPECT_EQ(back->splits, kernel.splits);
    EXPECT_EQ(back->overlaps, kernel.overlaps);
    EXPECT_EQ(back->code, kernel.code);
    EXPECT_EQ(back->origin, "here");
  }
}

TEST(KernelRecord, RefusesWhatIsNoKernel) {
  CompiledKernel kernel = compiled("sm_80");
  CacheEntry whole = toEntry(kernel);
  for (const auto &[name, value] : whole.about) {
    CacheEntry entry = whole;
    entry.about.erase(name);
    Result<CompiledKernel> back = fromEntry(entry, "");
    ASSERT_FALSE(back.ok()) << name.str();
    EXPECT_NE(back.status().message().find(name.str()), std::string::npos)
        << back.status().message();
    entry.about[name] = nullptr;
    EXPECT_FALSE(fromEntry(entry, "").ok()) << name.str();
  }
  // What a launch divides by.
  for (auto [list, number] : {std::pair("sizes", "multiple_of"),
                              {"grid", "block"},
                              {"matrices", "alignment"}}) {
    CacheEntry entry = whole;
    (*(*entry.about.getArray(list))[0].getAsObject())[number] = 0;
    Result<CompiledKernel> back = fromEntry(entry, "");
    ASSERT_FALSE(back.ok());
    EXPECT_NE(back.status().message().find(number), std::string::npos)
        << back.status().message();
  }
}

TEST(RequestKey, NamesEveryInput) {
  CompileRequest request;
  request.kernel = "matmul_248";
  request.target = "sm_80";
  request.config = "BITS=4 BLOCK_M=16";
  std::string key = *requestKey(request);
  auto changed = [&](auto change) {
    CompileRequest other = request;
    change(other);
    return *requestKey(other) != key;
  };
  EXPECT_TRUE(changed([](auto &r) { r.kernel = "make_dense"; }));
  EXPECT_TRUE(changed([](auto &r) { r.target = "sm_86"; }));
  EXPECT_TRUE(changed([](auto &r) { r.target = "host"; }));
  EXPECT_TRUE(changed([](auto &r) { r.schedule = "simt"; }));
  EXPECT_TRUE(changed([](auto &r) { r.config += " warps=8"; }));
  EXPECT_TRUE(changed([](auto &r) { r.text = "nibble.kernel"; }));
  // A word of the packed order that kernels without it know too.
  request.target = "sm_90a";
  key = *requestKey(request);
  EXPECT_TRUE(changed([](auto &r) { r.config += " overlap=1"; }));
  EXPECT_FALSE(changed([](auto &r) { r.config += " overlap=0"; }));
  // Versions side by side: another compiler, another name.
  EXPECT_EQ(*requestDigest(request, compilerBuild()), key);
  EXPECT_NE(*requestDigest(request, "another"), key);
  // The same in other words.
  EXPECT_FALSE(changed([](auto &r) { r.config = "BLOCK_M=16  BITS=4"; }));
  EXPECT_FALSE(changed([](auto &r) { r.textName = "mine"; }));
  // An embedded kernel is its text, not its name's.
  for (const auto &[name, text] : embeddedKernels())
    if (name == request.kernel) {
      EXPECT_FALSE(changed([&](auto &r) { r.text = text; }));
      EXPECT_TRUE(changed([&](auto &r) { r.text = text + " "; }));
    }
  request.config = "BITS";
  EXPECT_FALSE(requestKey(request).ok());
}

} // namespace
