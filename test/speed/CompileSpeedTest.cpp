//===- CompileSpeedTest.cpp - How long a kernel takes to compile ----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From the kernel's text to PTX, and to the host's object code. These are
// bounds against a slip, not measurements: the stages' own times are in
// CompiledKernel::milliseconds (`nibble compile --timing`).
//
//===----------------------------------------------------------------------===//

#include "nibble/Compiler.h"
#include <algorithm>
#include <gtest/gtest.h>

using namespace nibble;

/// The best of some compilations in milliseconds, all stages together.
static double bestTime(const std::string &target, const std::string &blocks,
                       double limit) {
  CompileRequest request;
  request.kernel = "matmul_248";
  request.target = target;
  request.config = "BITS=4 GROUP_SIZE=128 ACT_ORDER=0 HAS_BIAS=0 GROUP_M=8 "
                   "X=f16 T=f16 Y=f16 S=f16 N%64 K%64 " +
                   blocks;
  double best = 1e9;
  for (int i = 0; i < 25 && best >= limit; ++i) {
    Result<CompiledKernel> kernel = compile(request);
    EXPECT_TRUE(kernel.ok()) << kernel.status().message();
    if (!kernel.ok())
      break;
    double sum = 0;
    for (const auto &[stage, milliseconds] : kernel->milliseconds)
      sum += milliseconds;
    best = std::min(best, sum);
  }
  std::printf("%s: %.1f ms\n", target.c_str(), best);
  return best;
}

TEST(CompileSpeed, PtxInUnder100Milliseconds) {
  double best = bestTime("sm_80", "BLOCK_M=64 BLOCK_N=64 BLOCK_K=32", 100);
#if defined(__OPTIMIZE__) && !__has_feature(address_sanitizer)
  EXPECT_LT(best, 100);
#endif
}

TEST(CompileSpeed, HostCodeInUnder150Milliseconds) {
  double best = bestTime("host", "BLOCK_M=1 BLOCK_N=256 BLOCK_K=16", 150);
#if defined(__OPTIMIZE__) && !__has_feature(address_sanitizer)
  EXPECT_LT(best, 150);
#endif
}
