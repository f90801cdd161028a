//===- CudaTypesTest.cpp - nibble's declarations against cuda.h -----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Skipped where there was no CUDA toolkit when nibble was configured.
//
//===----------------------------------------------------------------------===//

#include "Driver/Driver.h"
#include <gtest/gtest.h>

#ifndef NIBBLE_HAS_CUDA_H

TEST(CudaTypes, AreThoseOfTheToolkit) {
  GTEST_SKIP() << "no cuda.h when nibble was configured";
}

#else

#include <cstddef>
#include <cudaTypedefs.h> // and cuda.h
#include <fstream>
#include <regex>
#include <set>

using namespace nibble::driver;

namespace {

#define PAIR(ours, theirs) {#ours, ours, theirs}
const struct {
  const char *name;
  long long ours, theirs;
} enumerators[] = {
    PAIR(CuSuccess, CUDA_SUCCESS),
    PAIR(CuErrorInvalidValue, CUDA_ERROR_INVALID_VALUE),
    PAIR(CuErrorOutOfMemory, CUDA_ERROR_OUT_OF_MEMORY),
    PAIR(CuErrorNoDevice, CUDA_ERROR_NO_DEVICE),
    PAIR(CuErrorInvalidDevice, CUDA_ERROR_INVALID_DEVICE),
    PAIR(CuErrorInvalidImage, CUDA_ERROR_INVALID_IMAGE),
    PAIR(CuErrorNoBinaryForGpu, CUDA_ERROR_NO_BINARY_FOR_GPU),
    PAIR(CuErrorInvalidPtx, CUDA_ERROR_INVALID_PTX),
    PAIR(CuErrorJitCompilerNotFound, CUDA_ERROR_JIT_COMPILER_NOT_FOUND),
    PAIR(CuErrorUnsupportedPtxVersion, CUDA_ERROR_UNSUPPORTED_PTX_VERSION),
    PAIR(CuErrorJitCompilationDisabled, CUDA_ERROR_JIT_COMPILATION_DISABLED),
    PAIR(CuErrorNotFound, CUDA_ERROR_NOT_FOUND),
    PAIR(CuDeviceMaxThreadsPerBlock, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK),
    PAIR(CuDeviceWarpSize, CU_DEVICE_ATTRIBUTE_WARP_SIZE),
    PAIR(CuDeviceClockRate, CU_DEVICE_ATTRIBUTE_CLOCK_RATE),
    PAIR(CuDeviceMultiprocessorCount, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
    PAIR(CuDeviceMemoryClockRate, CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE),
    PAIR(CuDeviceMemoryBusWidth, CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH),
    PAIR(CuDeviceL2CacheSize, CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE),
    PAIR(CuDeviceMaxThreadsPerMultiprocessor,
         CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR),
    PAIR(CuDeviceComputeCapabilityMajor,
         CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
    PAIR(CuDeviceComputeCapabilityMinor,
         CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR),
    PAIR(CuDeviceMaxSharedMemoryPerMultiprocessor,
         CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR),
    PAIR(CuDeviceMaxRegistersPerMultiprocessor,
         CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR),
    PAIR(CuDeviceMaxSharedMemoryPerBlockOptin,
         CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN),
    PAIR(CuDeviceMaxBlocksPerMultiprocessor,
         CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR),
    PAIR(CuFunctionLocalSizeBytes, CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES),
    PAIR(CuFunctionNumRegs, CU_FUNC_ATTRIBUTE_NUM_REGS),
    PAIR(CuFunctionMaxDynamicSharedSizeBytes,
         CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES),
    PAIR(CuFunctionPreferredSharedMemoryCarveout,
         CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT),
    PAIR(CuPointerMemoryType, CU_POINTER_ATTRIBUTE_MEMORY_TYPE),
    PAIR(CuPointerIsManaged, CU_POINTER_ATTRIBUTE_IS_MANAGED),
    PAIR(CuPointerDeviceOrdinal, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL),
    PAIR(CuMemoryHost, CU_MEMORYTYPE_HOST),
    PAIR(CuMemoryDevice, CU_MEMORYTYPE_DEVICE),
    PAIR(CuJitErrorLogBuffer, CU_JIT_ERROR_LOG_BUFFER),
    PAIR(CuJitErrorLogBufferSizeBytes, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES),
    PAIR(CuJitInputPtx, CU_JIT_INPUT_PTX),
    PAIR(CuStreamNonBlocking, CU_STREAM_NON_BLOCKING),
    PAIR(CuEventDefault, CU_EVENT_DEFAULT),
    PAIR(CuCaptureNone, CU_STREAM_CAPTURE_STATUS_NONE),
    PAIR(CuCaptureActive, CU_STREAM_CAPTURE_STATUS_ACTIVE),
    PAIR(CuCaptureGlobal, CU_STREAM_CAPTURE_MODE_GLOBAL),
    PAIR(CuCaptureThreadLocal, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
    PAIR(CuCaptureRelaxed, CU_STREAM_CAPTURE_MODE_RELAXED),
    PAIR(CuLaunchProgrammaticStreamSerialization,
         CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION),
};
#undef PAIR

TEST(CudaTypes, EnumeratorsHaveTheToolkitsValues) {
  std::set<std::string> compared;
  for (const auto &each : enumerators) {
    EXPECT_EQ(each.ours, each.theirs) << each.name;
    compared.insert(each.name);
  }
  // Each one that is declared is compared above.
  std::ifstream header(NIBBLE_CUDA_TYPES);
  std::string text(std::istreambuf_iterator<char>(header), {});
  std::regex declared("\\b(Cu\\w+) = -?\\d");
  size_t count = 0;
  for (std::sregex_iterator it(text.begin(), text.end(), declared), end;
       it != end; ++it, ++count)
    EXPECT_TRUE(compared.count((*it)[1])) << (*it)[1] << " is not compared";
  EXPECT_EQ(count, compared.size());
}

#define EXPECT_MEMBER(Ours, ours, Theirs, theirs)                              \
  EXPECT_EQ(offsetof(Ours, ours), offsetof(Theirs, theirs)) << #ours;          \
  EXPECT_EQ(sizeof(Ours::ours), sizeof(Theirs::theirs)) << #ours

TEST(CudaTypes, StructuresLieAsTheToolkits) {
  EXPECT_EQ(sizeof(CuLaunchConfig), sizeof(CUlaunchConfig));
  EXPECT_EQ(alignof(CuLaunchConfig), alignof(CUlaunchConfig));
  EXPECT_MEMBER(CuLaunchConfig, gridDimX, CUlaunchConfig, gridDimX);
  EXPECT_MEMBER(CuLaunchConfig, gridDimY, CUlaunchConfig, gridDimY);
  EXPECT_MEMBER(CuLaunchConfig, gridDimZ, CUlaunchConfig, gridDimZ);
  EXPECT_MEMBER(CuLaunchConfig, blockDimX, CUlaunchConfig, blockDimX);
  EXPECT_MEMBER(CuLaunchConfig, blockDimY, CUlaunchConfig, blockDimY);
  EXPECT_MEMBER(CuLaunchConfig, blockDimZ, CUlaunchConfig, blockDimZ);
  EXPECT_MEMBER(CuLaunchConfig, sharedMemBytes, CUlaunchConfig, sharedMemBytes);
  EXPECT_MEMBER(CuLaunchConfig, stream, CUlaunchConfig, hStream);
  EXPECT_MEMBER(CuLaunchConfig, attributes, CUlaunchConfig, attrs);
  EXPECT_MEMBER(CuLaunchConfig, attributeCount, CUlaunchConfig, numAttrs);

  EXPECT_EQ(sizeof(CuLaunchAttribute), sizeof(CUlaunchAttribute));
  EXPECT_EQ(alignof(CuLaunchAttribute), alignof(CUlaunchAttribute));
  EXPECT_MEMBER(CuLaunchAttribute, id, CUlaunchAttribute, id);
  EXPECT_MEMBER(CuLaunchAttribute, value, CUlaunchAttribute, value);
  EXPECT_MEMBER(CuLaunchAttributeValue, programmaticStreamSerializationAllowed,
                CUlaunchAttributeValue, programmaticStreamSerializationAllowed);
}

//===----------------------------------------------------------------------===//
// Signatures
//===----------------------------------------------------------------------===//

/// Whether two types are passed alike and mean alike: pointers to alike things
/// (a handle is a pointer to something unknown, and void * stands for one),
/// integers of one size and sign, enumerations as the integers they are.
template <typename Ours, typename Theirs> constexpr bool alike() {
  if constexpr (std::is_pointer_v<Ours> && std::is_pointer_v<Theirs>) {
    using A = std::remove_pointer_t<Ours>;
    using B = std::remove_pointer_t<Theirs>;
    constexpr bool opaque = std::is_class_v<B> || std::is_void_v<B>;
    if (std::is_const_v<A> != std::is_const_v<B>)
      return false;
    if constexpr (std::is_class_v<A> || std::is_void_v<A>)
      return opaque;
    else
      return alike<std::remove_cv_t<A>, std::remove_cv_t<B>>();
  } else if constexpr (std::is_enum_v<Ours> || std::is_enum_v<Theirs>) {
    return sizeof(Ours) == sizeof(Theirs) && !std::is_pointer_v<Ours> &&
           !std::is_pointer_v<Theirs>;
  } else {
    return sizeof(Ours) == sizeof(Theirs) &&
           std::is_integral_v<Ours> == std::is_integral_v<Theirs> &&
           std::is_floating_point_v<Ours> == std::is_floating_point_v<Theirs> &&
           std::is_signed_v<Ours> == std::is_signed_v<Theirs>;
  }
}

template <typename... Ours, typename... Theirs>
constexpr bool sameCall(CuResult (*)(Ours...), CUresult (*)(Theirs...)) {
  if constexpr (sizeof...(Ours) == sizeof...(Theirs))
    return (alike<Ours, Theirs>() && ...);
  else
    return false;
}

static_assert(alike<CuContext *, CUcontext *>());
static_assert(alike<CuStream, CUstream>());
static_assert(!alike<CuDevicePtr, void *>());
static_assert(!alike<void **, CUdeviceptr *>());
static_assert(!alike<const void *, void *>());
static_assert(!alike<int, unsigned>());
static_assert(!alike<int *, std::size_t *>());
static_assert(!alike<float *, int *>());

/// The toolkit names a type for each form of each entry point. That there is
/// one for `version` is checked by compiling this.
TEST(CudaTypes, EntryPointsAreCalledAsTheToolkits) {
#define NIBBLE_CUDA_SYMBOL(name, version, parameters)                          \
  EXPECT_TRUE(sameCall(static_cast<CuResult(*) parameters>(nullptr),           \
                       static_cast<PFN_##name##_v##version>(nullptr)))         \
      << #name;                                                                \
  EXPECT_LE(version, minimumDriverVersion) << #name;
#include "Driver/Symbols.def"
  EXPECT_TRUE(sameCall(CuGetProcAddress(nullptr),
                       PFN_cuGetProcAddress_v11030(nullptr)));
  EXPECT_TRUE(
      sameCall(CudaApi().cuGetErrorName, PFN_cuGetErrorName_v6000(nullptr)));
  EXPECT_TRUE(sameCall(CudaApi().cuGetErrorString,
                       PFN_cuGetErrorString_v6000(nullptr)));
}

} // namespace

#endif
