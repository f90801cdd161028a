//===- Driver/CudaTypes.h - nibble's own CUDA driver declarations ---------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The handles, numbers and structures of the CUDA driver's binary interface
// that nibble uses. They are declared here so that nibble builds on a machine
// without the CUDA toolkit and runs with whatever driver is installed. The
// interface is frozen per entry point and version; test/unit/Driver compares
// every number and offset below with cuda.h where a toolkit is present.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_DRIVER_CUDATYPES_H
#define NIBBLE_DRIVER_CUDATYPES_H

#include <cstddef>
#include <cstdint>

namespace nibble::driver {

/// A device's ordinal as the driver hands it out.
using CuDevice = int;
/// An address in device memory.
using CuDevicePtr = std::uint64_t;

/// Opaque handles; each is a distinct type so that one cannot pass for another.
using CuContext = struct CuContextHandle *;
using CuModule = struct CuModuleHandle *;
using CuFunction = struct CuFunctionHandle *;
using CuLinkState = struct CuLinkStateHandle *;
using CuGraph = struct CuGraphHandle *;
using CuGraphNode = struct CuGraphNodeHandle *;
using CuGraphExec = struct CuGraphExecHandle *;
using CuEvent = struct CuEventHandle *;
/// Streams stay void *: a host passes its own without a cast. Null is the
/// legacy default stream, which synchronises with the blocking streams.
using CuStream = void *;

/// What every entry point returns; the values that nibble or its tests tell
/// apart.
enum CuResult : int {
  CuSuccess = 0,
  CuErrorInvalidValue = 1,
  CuErrorOutOfMemory = 2,
  CuErrorNoDevice = 100,
  CuErrorInvalidDevice = 101,
  CuErrorInvalidImage = 200,
  CuErrorNoBinaryForGpu = 209,
  CuErrorInvalidPtx = 218,
  CuErrorJitCompilerNotFound = 221,
  CuErrorUnsupportedPtxVersion = 222,
  CuErrorJitCompilationDisabled = 223,
  CuErrorNotFound = 500,
};

/// Device properties that nibble asks for.
enum CuDeviceAttribute : int {
  CuDeviceMaxThreadsPerBlock = 1,
  CuDeviceWarpSize = 10,
  CuDeviceClockRate = 13,
  CuDeviceMultiprocessorCount = 16,
  CuDeviceMemoryClockRate = 36,
  CuDeviceMemoryBusWidth = 37,
  CuDeviceL2CacheSize = 38,
  CuDeviceMaxThreadsPerMultiprocessor = 39,
  CuDeviceComputeCapabilityMajor = 75,
  CuDeviceComputeCapabilityMinor = 76,
  CuDeviceMaxSharedMemoryPerMultiprocessor = 81,
  CuDeviceMaxRegistersPerMultiprocessor = 82,
  CuDeviceMaxSharedMemoryPerBlockOptin = 97,
  CuDeviceMaxBlocksPerMultiprocessor = 106,
};

/// Kernel properties that nibble reads or sets.
enum CuFunctionAttribute : int {
  CuFunctionLocalSizeBytes = 3,
  CuFunctionNumRegs = 4,
  CuFunctionMaxDynamicSharedSizeBytes = 8,
  CuFunctionPreferredSharedMemoryCarveout = 9,
};

/// What is asked of an address.
enum CuPointerAttribute : int {
  CuPointerMemoryType = 2,
  CuPointerIsManaged = 8,
  CuPointerDeviceOrdinal = 9,
};

/// Where an address lies, as CuPointerMemoryType answers.
enum CuMemoryType : unsigned {
  CuMemoryHost = 1,
  CuMemoryDevice = 2,
};

/// Options of the PTX compiler; each value travels in a void *.
enum CuJitOption : int {
  CuJitErrorLogBuffer = 5,
  CuJitErrorLogBufferSizeBytes = 6,
};

/// What cuLinkAddData is given.
enum CuJitInputType : int { CuJitInputPtx = 1 };

enum CuStreamFlags : unsigned {
  /// Does not synchronise with the legacy default stream.
  CuStreamNonBlocking = 1,
};

enum CuEventFlags : unsigned { CuEventDefault = 0 };

/// Whether a stream is being captured, as cuStreamIsCapturing answers.
enum CuCaptureStatus : int {
  CuCaptureNone = 0,
  CuCaptureActive = 1,
};

enum CuCaptureMode : int {
  CuCaptureGlobal = 0,
  CuCaptureThreadLocal = 1,
  CuCaptureRelaxed = 2,
};

enum CuLaunchAttributeId : int {
  CuLaunchProgrammaticStreamSerialization = 6,
};

/// The value of a launch attribute: 64 bytes, read as its id says.
union CuLaunchAttributeValue {
  alignas(8) char bytes[64];
  int programmaticStreamSerializationAllowed;
};

struct CuLaunchAttribute {
  CuLaunchAttributeId id;
  char pad[4];
  CuLaunchAttributeValue value;
};

struct CuLaunchConfig {
  unsigned gridDimX, gridDimY, gridDimZ;
  unsigned blockDimX, blockDimY, blockDimZ;
  unsigned sharedMemBytes;
  CuStream stream;
  CuLaunchAttribute *attributes;
  unsigned attributeCount;
};

/// cuGetProcAddress as drivers from 11.3 on export it. The newer form, _v2,
/// adds an output that we do not need: a null entry already says "absent".
using CuGetProcAddress = CuResult (*)(const char *name, void **entry,
                                      int version, std::uint64_t flags);

} // namespace nibble::driver

#endif // NIBBLE_DRIVER_CUDATYPES_H
