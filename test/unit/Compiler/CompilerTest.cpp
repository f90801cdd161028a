//===- CompilerTest.cpp - The facade --------------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nibble/Compiler.h"
#include "../API/Refused.h"
#include "Target/Guard.h"
#include "llvm/Support/ErrorHandling.h"
#include <gtest/gtest.h>
#include <thread>

using namespace nibble;

namespace {

CompileRequest ordinary(const std::string &target) {
  CompileRequest request;
  request.kernel = "matmul_248";
  request.target = target;
  request.config = "BITS=4 GROUP_SIZE=128 ACT_ORDER=0 HAS_BIAS=0 GROUP_M=8 "
                   "X=f16 T=f16 Y=f16 S=f16 N%64 K%64 ";
  request.config += target == "host" ? "BLOCK_M=1 BLOCK_N=256 BLOCK_K=16"
                                     : "BLOCK_M=64 BLOCK_N=64 BLOCK_K=32";
  return request;
}

TEST(Compiler, DescribesALaunch) {
  Result<CompiledKernel> kernel = compile(ordinary("sm_80"));
  ASSERT_TRUE(kernel.ok()) << kernel.status().message();
  EXPECT_EQ(kernel->name, "matmul_248");
  EXPECT_EQ(kernel->schedule, "mma");
  EXPECT_EQ(kernel->mmaRefused, "");
  EXPECT_EQ(kernel->threads, 128);
  EXPECT_GT(kernel->sharedBytes, 0);
  const KernelInterface &interface = kernel->interface;
  EXPECT_EQ(interface.words().size(), 7u + 5 + 4);
  EXPECT_EQ(interface.matrices[1].name, "qweight");
  EXPECT_EQ(interface.matrices[1].type, DType::I32);
  EXPECT_EQ(*interface.matrices[1].shape[0].evaluate({{"K", 256}}), 32);
  EXPECT_FALSE(interface.matrices[1].shape[0].evaluate({{"K", 12}}).ok());
  EXPECT_FALSE(interface.matrices[1].shape[0].evaluate({}).ok());
  EXPECT_TRUE(interface.matrices[6].written);
  EXPECT_FALSE(interface.matrices[0].written);
  KernelSizes sizes = {{"M", 65}, {"N", 192}, {"K", 64}, {"G", 1}};
  EXPECT_EQ(*interface.programs(sizes), 2 * 3);
  sizes["M"] = 0;
  EXPECT_EQ(*interface.programs(sizes), 0);
  sizes["N"] = 100;
  EXPECT_FALSE(interface.programs(sizes).ok());
}

TEST(Compiler, FallsBackToSimtAndSaysWhy) {
  CompileRequest request = ordinary("sm_80");
  request.config.replace(request.config.find("BLOCK_M=64"), 10, "BLOCK_M=8");
  Result<CompiledKernel> kernel = compile(request);
  ASSERT_TRUE(kernel.ok()) << kernel.status().message();
  EXPECT_EQ(kernel->schedule, "simt");
  EXPECT_EQ(kernel->mmaRefused, "nibble.dot has 8 rows, not a multiple of 16");
  request.schedule = "mma";
  EXPECT_REFUSED(compile(request).status(), CompileError,
                 "the schedule mma refuses this kernel: nibble.dot has 8 rows");
}

TEST(Compiler, ErrorsNameTheirPlace) {
  CompileRequest request = ordinary("host");
  request.kernel = "nope";
  EXPECT_REFUSED(
      compile(request).status(), NotFound,
      "there is no kernel 'nope'; nibble has make_dense, matmul_248");
  request = ordinary("sm_70");
  EXPECT_REFUSED(compile(request).status(), InvalidArgument,
                 "there is no target 'sm_70'; targets are sm_80");
  request = ordinary("host");
  request.schedule = "mma";
  EXPECT_REFUSED(compile(request).status(), InvalidArgument,
                 "there is no schedule 'mma' for target host");
  request = ordinary("host");
  EXPECT_REFUSED(emit(request, "ptx").status(), InvalidArgument,
                 "there is no stage 'ptx' for target host; stages are parse");
  request.config += " BITS=8";
  EXPECT_REFUSED(compile(request).status(), InvalidArgument, "given twice");
  request.config = "";
  EXPECT_REFUSED(compile(request).status(), CompileError,
                 ":1: error: 'nibble.kernel' op parameter 'BITS' "
                 "has no value");
  request.kernel = "";
  request.textName = "mine.mlir";
  request.text = "nibble.kernel @k";
  EXPECT_REFUSED(compile(request).status(), CompileError, "mine.mlir:1:");
  request.text = "module {}";
  EXPECT_REFUSED(compile(request).status(), NotFound,
                 "mine.mlir has no kernel");
  std::string two =
      "nibble.kernel @a params [] sizes [N] grid [N by 8] () {\n}\n"
      "nibble.kernel @b params [] sizes [N] grid [N by 8] () {\n}\n";
  request.text = two;
  EXPECT_REFUSED(compile(request).status(), InvalidArgument,
                 "several kernels, of which one must be named: a, b");
  request.kernel = "c";
  EXPECT_REFUSED(compile(request).status(), NotFound,
                 "there is no kernel 'c' in mine.mlir, which has a, b");
  request.kernel = "b";
  EXPECT_TRUE(compile(request).ok());
}

/// What MLIR's parser or printer would not survive.
TEST(Compiler, WordsOfPackedKernelsNeedTheirTargets) {
  auto status = [](const char *target, const std::string &words) {
    CompileRequest request;
    request.kernel = "matmul_248";
    request.target = target;
    request.config = "BITS=4 GROUP_SIZE=128 ACT_ORDER=0 HAS_BIAS=0 GROUP_M=8 "
                     "BLOCK_M=64 BLOCK_N=64 BLOCK_K=128 X=f16 T=f16 Y=f16 "
                     "S=f16 packed=128 warps=4 stages=4 " +
                     words;
    return compile(request).status();
  };
  for (const char *target : {"host", "sm_80", "sm_89"}) {
    std::string is = std::string("; the target is ") + target;
    for (const char *word : {"prefetch=0", "splits=2", "overlap=1"}) {
      std::string name = word == std::string("splits=2") ? "splits" : word;
      EXPECT_REFUSED(status(target, word), InvalidArgument,
                     name + " needs sm_90a or later" + is);
    }
    EXPECT_REFUSED(status(target, "wgmma=1"), InvalidArgument,
                   "wgmma=1 needs sm_90a" + is);
  }
  for (const char *target : {"sm_100a", "sm_120a"}) {
    EXPECT_REFUSED(status(target, "prefetch=0 wgmma=1"), InvalidArgument,
                   std::string("wgmma=1 needs sm_90a; the target is ") +
                       target);
    EXPECT_TRUE(status(target, "prefetch=0").ok());
  }
  CompileRequest held;
  held.kernel = "matmul_248";
  held.config = "BITS=4 GROUP_SIZE=128 ACT_ORDER=0 HAS_BIAS=0 GROUP_M=8 "
                "BLOCK_M=64 BLOCK_N=64 BLOCK_K=128 X=f16 T=f16 Y=f16 S=f16 "
                "held=1";
  EXPECT_REFUSED(compile(held).status(), InvalidArgument,
                 "held=1 needs a GPU; the target is host");
  for (const char *target : {"sm_80", "sm_90a"}) {
    held.target = target;
    held.schedule = "mma";
    EXPECT_REFUSED(compile(held).status(), InvalidArgument,
                   "held=1 is not for the schedule mma");
    for (const char *schedule : {"auto", "simt"}) {
      held.schedule = schedule;
      EXPECT_REFUSED(compile(held).status(), CompileError,
                     "the schedule simt refuses this kernel: nibble.tile_count "
                     "does more than gather and store columns");
    }
  }
  EXPECT_TRUE(status("sm_90a", "prefetch=0 wgmma=1").ok());
  EXPECT_REFUSED(status("sm_90a", "prefetch=1 wgmma=1"), CompileError,
                 "multiplies by wgmma, which needs prefetch=0");
}

TEST(Compiler, BoundsTheTextOfKernels) {
  auto repeat = [](const char *text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i)
      all += text;
    return all;
  };
  constexpr int deep = 10000;
  struct {
    std::string text;
    const char *message;
  } cases[] = {
      {repeat("module {", deep), "brackets are nested more than 64 deep"},
      {"module attributes {x = " + repeat("[", deep), "nested more than 64"},
      {"!t = " + repeat("!nibble.tile<1 x ", deep), "nested more than 64"},
      {"module {} loc(" + repeat("callsite(\"a\" at ", deep), "nested more"},
      {"module attributes {x = affine_map<(d0) -> (" + repeat("-", deep) +
           "d0)>} {}",
       "a kernel has no affine_map"},
      {"!a = i32\n!b = tuple<!a, !a>\n",
       "bounded.mlir:2: an alias names the alias 'a'"},
      {"#a = 1 : i32\n#b =\n  [\n#a, #a]", "an alias names the alias 'a'"},
      {"#a = i8\n#b = 1\n : !a", "an alias names the alias 'a'"},
      {"!a = i8\n!b = // c\n tuple // )\n <!a>",
       "an alias names the alias 'a'"},
      {"!a = i8\n!b = () ->\n !a", "an alias names the alias 'a'"},
      {"!a = i8\n!b = i8\nnibble.kernel @k (%x: !a)", "expected '{'"},
      {"// " + repeat(" ", 1 << 18), "at most 262144 bytes"},
      {"module attributes {x = \"" + repeat("\\\"{", deep) + "\"} {}",
       "can only contain attributes with dialect-prefixed names"},
      {"// " + repeat("(", deep), "has no kernel"},
      {"\"unterminated\\", "bounded.mlir:1:"},
      {"#", "bounded.mlir:1:"},
  };
  for (const auto &each : cases) {
    CompileRequest request;
    request.textName = "bounded.mlir";
    request.text = each.text;
    Status status = emit(request, "parse").status();
    EXPECT_FALSE(status.ok());
    EXPECT_NE(status.message().find(each.message), std::string::npos)
        << status.message().substr(0, 500) << "\nexpected " << each.message;
  }
}

TEST(Compiler, EqualRequestsGiveEqualCode) {
  for (const char *target : {"sm_90a", "host"}) {
    std::vector<std::string> codes(4);
    std::vector<std::thread> threads;
    for (std::string &code : codes)
      threads.emplace_back([&] { code = compile(ordinary(target))->code; });
    for (std::thread &thread : threads)
      thread.join();
    EXPECT_FALSE(codes[0].empty());
    for (const std::string &code : codes)
      EXPECT_EQ(code, codes[0]);
  }
}

TEST(Guard, FatalErrorsBecomeAStatus) {
  for (int i = 0; i < 3; ++i) {
    Status status = runGuarded([]() -> Status {
      llvm::report_fatal_error("cannot select what a test asks for");
    });
    EXPECT_EQ(status.code(), ErrorCode::Internal);
    EXPECT_EQ(status.message(),
              "LLVM gave up: cannot select what a test asks for");
    EXPECT_TRUE(compile(ordinary("sm_80")).ok()) << "after a fatal error";
  }
  EXPECT_TRUE(runGuarded([] { return Status(); }).ok());
}

/// A kernel that LLVM itself gives up on: tensor cores for a GPU that lacks
/// them cannot be asked for by name, but nothing stops kernel text from
/// carrying operations of LLVM.
TEST(Guard, CodeThatLlvmCannotSelectBecomesAStatus) {
  CompileRequest request;
  request.target = "sm_80";
  request.textName = "bad.mlir";
  request.text = R"(
    llvm.func @device(%x: !llvm.ptr) -> i64 {
      %r = llvm.call_intrinsic "llvm.x86.rdtsc"() : () -> i64
      llvm.return %r : i64
    }
    nibble.kernel @k params [] sizes [N] grid [N by 8] () {
    }
  )";
  Result<CompiledKernel> kernel = compile(request);
  ASSERT_FALSE(kernel.ok());
  EXPECT_NE(kernel.status().message(), "");
  EXPECT_TRUE(compile(ordinary("sm_80")).ok());
}

} // namespace
