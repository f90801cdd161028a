//===- ModuleTest.cpp - Linking, loading and launching --------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Driver/Module.h"
#include "Driver/Stream.h"
#include "WithStandIn.h"
#include <climits>

using namespace nibble;
using namespace nibble::driver;
using namespace nibble::test;

namespace {

class DeviceModules : public WithStandIn {
protected:
  std::unique_ptr<Module> load(int64_t sharedBytes = 0,
                               Overlap overlap = Overlap::None) {
    Result<std::unique_ptr<Module>> loaded =
        Module::load(device(), "cubin ", "kernel", sharedBytes, overlap);
    EXPECT_TRUE(loaded.ok()) << loaded.status().message();
    return std::move(*loaded);
  }
};

TEST_F(DeviceModules, AreLinkedFromPtx) {
  Result<std::string> cubin = assemble(device(), "some ptx", "kernel");
  ASSERT_TRUE(cubin.ok()) << cubin.status().message();
  // The stand-in spoils its own copy when the link is destroyed.
  EXPECT_EQ(*cubin, std::string("cubin some ptx\0", 15));
  EXPECT_TRUE(Module::load(device(1), *cubin, "kernel", 0).ok());
}

TEST_F(DeviceModules, SayWhatTheLinkerSaid) {
  EXPECT_REFUSED(assemble(device(), "a bad line", "matmul").status(),
                 CompileError,
                 "cuLinkAddData(kernel=matmul) failed: CUDA_ERROR_INVALID_PTX "
                 "(218), the stand-in's text\nptxas matmul, line 3; fatal : "
                 "bad");
  // A log that fills all of its memory.
  Status full = assemble(device(), "very bad", "matmul").status();
  EXPECT_REFUSED(full, CompileError, "fatal : bad!!!");
  EXPECT_EQ(full.message().back(), '!');
  for (auto [entry, call] :
       {std::pair(Entry_cuLinkCreate, "cuLinkCreate(kernel=matmul)"),
        std::pair(Entry_cuLinkAddData, "cuLinkAddData(kernel=matmul)"),
        std::pair(Entry_cuLinkComplete, "cuLinkComplete(kernel=matmul)")}) {
    fail(entry, CuErrorOutOfMemory);
    EXPECT_REFUSED(assemble(device(), "ptx", "matmul").status(), OutOfMemory,
                   std::string(call) + " failed: CUDA_ERROR_OUT_OF_MEMORY");
    EXPECT_TRUE(state->held[Links].empty());
  }
}

TEST_F(DeviceModules, ThatDoNotLoadAreNamed) {
  EXPECT_REFUSED(Module::load(device(), "text", "matmul", 0).status(),
                 DeviceError,
                 "cuModuleLoadDataEx(kernel=matmul) failed: "
                 "CUDA_ERROR_INVALID_IMAGE (200)");
  EXPECT_REFUSED(Module::load(device(), "cubin ", "missing", 0).status(),
                 NotFound,
                 "cuModuleGetFunction(name=missing) failed: "
                 "CUDA_ERROR_NOT_FOUND (500)");
  EXPECT_REFUSED(Module::load(device(1), "cubin ", "matmul", 200000).status(),
                 Unsupported,
                 "kernel 'matmul' needs 200000 bytes of shared memory; "
                 "Stand-in B has 101376");
  EXPECT_REFUSED(Module::load(device(), "cubin ", "matmul", -1).status(),
                 Unsupported, "kernel 'matmul' needs -1 bytes");
  EXPECT_TRUE(Module::load(device(0), "cubin ", "matmul", 200000).ok());
  for (auto [entry, call] :
       {std::pair(Entry_cuFuncSetAttribute,
                  "cuFuncSetAttribute(dynamic shared bytes=1000)"),
        std::pair(Entry_cuFuncGetAttribute, "cuFuncGetAttribute(NumRegs)")}) {
    fail(entry);
    EXPECT_REFUSED(Module::load(device(), "cubin ", "matmul", 1000).status(),
                   DeviceError, std::string(call) + " failed");
  }
  EXPECT_TRUE(state->held[Modules].empty());
}

TEST_F(DeviceModules, TellRegistersAndSpills) {
  std::unique_ptr<Module> module = load();
  EXPECT_EQ(module->registers(), 104); // 100 and the attribute
  EXPECT_EQ(module->localBytes(), 103);
  EXPECT_EQ(&module->device(), &device());
}

TEST_F(DeviceModules, LaunchAsAsked) {
  std::unique_ptr<Module> module = load(5000);
  auto stream = Stream::create(device());
  ASSERT_TRUE(stream.ok());
  Status status = module->launch(INT_MAX, 128, nullptr, (*stream)->handle());
  ASSERT_TRUE(status.ok()) << status.message();
  const CuLaunchConfig &launch = state->launch;
  EXPECT_EQ(launch.gridDimX, unsigned(INT_MAX));
  EXPECT_EQ(launch.blockDimX, 128u);
  for (unsigned one :
       {launch.gridDimY, launch.gridDimZ, launch.blockDimY, launch.blockDimZ})
    EXPECT_EQ(one, 1u);
  EXPECT_EQ(launch.sharedMemBytes, 5000u);
  EXPECT_EQ(launch.stream, (*stream)->handle());
  EXPECT_EQ(launch.attributeCount, 0u);
  EXPECT_EQ(state->calls[Entry_cuLaunchKernelEx].context, device().context());
}

TEST_F(DeviceModules, ThatOverlapTakeTheirPartOfAMultiprocessor) {
  const CuLaunchConfig &launch = state->launch;
  load(5000);
  EXPECT_EQ(state->sharedPreferred, 0);
  ASSERT_TRUE(load(0, Overlap::Fills)->launch(3, 64, nullptr, nullptr).ok());
  EXPECT_EQ(state->sharedPreferred, 100);
  fail(Entry_cuFuncSetAttribute);
  EXPECT_REFUSED(
      Module::load(device(), "cubin ", "matmul", 0, Overlap::Begins).status(),
      DeviceError, "cuFuncSetAttribute(preferred shared memory carveout=100)");
  fail(EntryCount);
  EXPECT_EQ(launch.gridDimX, 3u);
  EXPECT_EQ(launch.stream, nullptr);
  EXPECT_EQ(launch.sharedMemBytes, 0u);
  EXPECT_EQ(launch.attributeCount, 1u);
  EXPECT_EQ(state->attribute.id, CuLaunchProgrammaticStreamSerialization);
  EXPECT_EQ(state->attribute.value.programmaticStreamSerializationAllowed, 1);

  // Of 233472 bytes 38912 are left, and 1024 go with every block.
  std::unique_ptr<Module> module = load(5000, Overlap::Fills);
  int64_t processors = device().properties().multiprocessors;
  for (auto [blocks, bytes] :
       {std::pair(int64_t(1), 193536u), std::pair(processors, 193536u),
        std::pair(processors + 1, 96256u), std::pair(3 * processors, 63488u),
        std::pair(4 * processors, 47104u), std::pair(5 * processors, 38912u),
        std::pair(50 * processors, 5000u)}) {
    ASSERT_TRUE(module->launch(blocks, 64, nullptr, nullptr).ok());
    EXPECT_EQ(launch.sharedMemBytes, bytes) << blocks;
  }
  EXPECT_EQ(state->sharedLimit, 232448);
  EXPECT_EQ(state->sharedPreferred, 100);

  // Of others that overlap each takes what it needs.
  module = load(5000, Overlap::Begins);
  ASSERT_TRUE(module->launch(processors, 64, nullptr, nullptr).ok());
  EXPECT_EQ(launch.sharedMemBytes, 5000u);
  EXPECT_EQ(launch.attributeCount, 1u);
  EXPECT_EQ(state->sharedLimit, 5000);
  EXPECT_EQ(state->sharedPreferred, 100);
}

TEST_F(DeviceModules, OverlapWhereGraphsCan) {
  for (auto [version, attributes, bytes] :
       {std::tuple(12020, 0u, 5000u), std::tuple(12030, 1u, 193536u)}) {
    state->version = version;
    Result<std::unique_ptr<Driver>> other = Driver::load(standInPath("works"));
    ASSERT_TRUE(other.ok()) << other.status().message();
    Result<Device *> its = (*other)->device(0);
    ASSERT_TRUE(its.ok()) << its.status().message();
    Result<std::unique_ptr<Module>> module =
        Module::load(**its, "cubin ", "kernel", 5000, Overlap::Fills);
    ASSERT_TRUE(module.ok()) << module.status().message();
    ASSERT_TRUE((*module)->launch(1, 64, nullptr, nullptr).ok());
    EXPECT_EQ(state->launch.attributeCount, attributes) << version;
    EXPECT_EQ(state->launch.sharedMemBytes, bytes) << version;
  }
}

TEST_F(DeviceModules, LaunchNeitherTooManyNorNone) {
  std::unique_ptr<Module> module = load();
  EXPECT_REFUSED(module->launch(int64_t(INT_MAX) + 1, 32, nullptr, nullptr),
                 InvalidArgument,
                 "a launch of 2147483648 blocks; a device takes 2147483647");
  EXPECT_REFUSED(module->launch(-1, 32, nullptr, nullptr), InvalidArgument,
                 "a launch of -1 blocks");
  EXPECT_TRUE(module->launch(0, 32, nullptr, nullptr).ok());
  EXPECT_EQ(state->calls[Entry_cuLaunchKernelEx].count, 0);
  EXPECT_REFUSED(module->launch(7, 1056, nullptr, nullptr), DeviceError,
                 "cuLaunchKernelEx(blocks=7, threads=1056, shared bytes=0) "
                 "failed: CUDA_ERROR_INVALID_VALUE (1)");
}

} // namespace
