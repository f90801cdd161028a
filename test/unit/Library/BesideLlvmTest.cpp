//===- BesideLlvmTest.cpp - libnibble.so beside another LLVM --------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loads Debian's libLLVM into the process, before and after nibble compiles.
// test/lit/Library/install.test has it loaded before nibble is.
//
//===----------------------------------------------------------------------===//

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <nibble/Compiler.h>

using namespace nibble;

namespace {

std::string ptx() {
  CompileRequest request;
  request.kernel = "matmul_248";
  request.target = "sm_80";
  request.config = "BITS=4 GROUP_SIZE=128 ACT_ORDER=0 HAS_BIAS=0 BLOCK_M=64 "
                   "BLOCK_N=64 BLOCK_K=32 GROUP_M=8 X=f16 T=f16 Y=f16 S=f16";
  Result<CompiledKernel> kernel = compile(request);
  return kernel.ok() ? kernel->code : "error: " + kernel.status().message();
}

TEST(BesideLlvm, BothWork) {
  std::string before = ptx();
  EXPECT_NE(before.find("mma.sync"), std::string::npos) << before;

  void *library = dlopen("libLLVM.so.22.1", RTLD_NOW | RTLD_GLOBAL);
  ASSERT_TRUE(library) << dlerror();
  using GetVersion = void (*)(unsigned *, unsigned *, unsigned *);
  auto version = reinterpret_cast<GetVersion>(dlsym(library, "LLVMGetVersion"));
  ASSERT_TRUE(version);
  unsigned major = 0, minor = 0, patch = 0;
  version(&major, &minor, &patch);
  EXPECT_EQ(major, 22u);
  // That LLVM's targets, too, register in its own registry alone.
  auto initialise = reinterpret_cast<void (*)()>(
      dlsym(library, "LLVMInitializeNVPTXTargetInfo"));
  ASSERT_TRUE(initialise);
  initialise();

  EXPECT_EQ(ptx(), before);
}

} // namespace
