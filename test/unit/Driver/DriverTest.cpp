//===- DriverTest.cpp - Drivers that work and drivers that do not ---------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WithStandIn.h"

using namespace nibble;
using namespace nibble::driver;
using namespace nibble::test;

namespace {

using LoadedDriver = WithStandIn;

/// What loading the stand-in `name` says.
Status refusal(const std::string &name) {
  Result<std::unique_ptr<Driver>> loaded = Driver::load(standInPath(name));
  EXPECT_FALSE(loaded.ok()) << name;
  if (!loaded.ok())
    EXPECT_NE(loaded.status().message().find(standInPath(name)),
              std::string::npos)
        << loaded.status().message() << " does not name the file";
  return loaded.status();
}

TEST(Driver, NamesWhatIsMissing) {
  EXPECT_REFUSED(refusal("nowhere"), NotFound,
                 "cannot open shared object file: No such file or directory");
  EXPECT_REFUSED(refusal("no-library"), NotFound, "no CUDA driver: ");
  EXPECT_REFUSED(refusal("no-driver"), Unsupported,
                 "the driver library exports no cuDriverGetVersion; it is not "
                 "a CUDA driver");
  EXPECT_REFUSED(refusal("old"), Unsupported,
                 "the CUDA driver serves CUDA 11.4; nibble needs 11.8 or newer "
                 "(driver branch 520)");
  EXPECT_REFUSED(refusal("no-lookup"), Unsupported,
                 "the CUDA driver exports no cuGetProcAddress");
  EXPECT_REFUSED(refusal("lacks-entry"), Unsupported,
                 "the CUDA driver (CUDA 13.0) lacks the entry point "
                 "cuLaunchKernelEx of CUDA 11.6");
  EXPECT_REFUSED(refusal("no-gpu"), NotFound,
                 "cuInit(flags=0) failed: CUDA_ERROR_NO_DEVICE (100), the "
                 "stand-in's text");
  EXPECT_REFUSED(refusal("not-ready"), DeviceError,
                 "cuInit(flags=0) failed: CUDA_ERROR_SYSTEM_NOT_READY (802)");
  EXPECT_REFUSED(refusal("no-device"), NotFound,
                 "the CUDA driver shows no device (0 GPUs)");
}

TEST_F(LoadedDriver, TellsItsVersion) {
  EXPECT_EQ(driver->version(), 13000);
  EXPECT_EQ(driver->build().substr(0, 4), "13.0");
  EXPECT_EQ(driver->ptxVersion(), 90);
  EXPECT_EQ(driver->deviceCount(), 2);
  EXPECT_EQ(formatCudaVersion(11080), "11.8");
  EXPECT_EQ(formatCudaVersion(12000), "12.0");
}

TEST_F(LoadedDriver, SaysWhoseFaultAnErrorIs) {
  for (auto [result, code] :
       {std::pair(CuErrorOutOfMemory, ErrorCode::OutOfMemory),
        std::pair(CuErrorNoDevice, ErrorCode::NotFound),
        std::pair(CuErrorInvalidDevice, ErrorCode::NotFound),
        std::pair(CuErrorNotFound, ErrorCode::NotFound),
        std::pair(CuErrorInvalidPtx, ErrorCode::CompileError),
        std::pair(CuErrorNoBinaryForGpu, ErrorCode::Unsupported),
        std::pair(CuErrorUnsupportedPtxVersion, ErrorCode::Unsupported),
        std::pair(CuErrorJitCompilerNotFound, ErrorCode::Unsupported),
        std::pair(CuErrorJitCompilationDisabled, ErrorCode::Unsupported),
        std::pair(CuErrorInvalidValue, ErrorCode::DeviceError),
        std::pair(CuErrorInvalidImage, ErrorCode::DeviceError)})
    EXPECT_EQ(driver->error(result, "cuCall", "").code(), code) << result;
  EXPECT_EQ(driver->error(CuErrorInvalidValue, "cuCall", "a=1, b=2").message(),
            "cuCall(a=1, b=2) failed: CUDA_ERROR_INVALID_VALUE (1), the "
            "stand-in's text");
  // One that the driver itself does not know.
  EXPECT_EQ(driver->error(CuResult(12345), "cuCall", "a=1").message(),
            "cuCall(a=1) failed: CUDA error (12345)");
}

} // namespace
