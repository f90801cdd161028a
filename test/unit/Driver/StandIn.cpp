//===- StandIn.cpp - A CUDA driver for tests ------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See StandIn.h. The fault of a build is one of
//   STANDIN_VERSION=n     the version of CUDA that it tells
//   STANDIN_DEVICES=n     how many devices it has
//   STANDIN_INIT=n        what cuInit returns
//   STANDIN_LACKS="name"  an entry point that it does not have
//   STANDIN_LOOKUP=name   what cuGetProcAddress is called
//   STANDIN_CAPABILITY=n,n  other compute capabilities of its devices
// Device memory is memory of the process; kernels do nothing.
//
//===----------------------------------------------------------------------===//

#include "StandIn.h"
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#ifndef STANDIN_VERSION
#define STANDIN_VERSION 13000
#endif
#ifndef STANDIN_DEVICES
#define STANDIN_DEVICES 2
#endif
#ifndef STANDIN_INIT
#define STANDIN_INIT 0
#endif
#ifndef STANDIN_LACKS
#define STANDIN_LACKS ""
#endif
#ifndef STANDIN_LOOKUP
#define STANDIN_LOOKUP cuGetProcAddress
#endif

#ifndef STANDIN_CAPABILITY
#define STANDIN_CAPABILITY 90, 86
#endif

using namespace nibble::driver;
using namespace nibble::test;

#define EXPORT extern "C" __attribute__((visibility("default")))

static StandIn state;
EXPORT StandIn *nibbleStandIn() { return &state; }

static thread_local bool isBusy = false;
EXPORT bool nibbleStandInIsBusy() { return isBusy; }

static std::mutex mutex;

/// A thread's contexts, the current one last. Plain memory: the library can be
/// closed while threads live.
static thread_local CuContext stack[16];
static thread_local int depth = 0;
static thread_local CuCaptureMode captureMode = CuCaptureGlobal;
/// The stream that is being captured.
static thread_local CuStream captured = nullptr;

/// The primary contexts' handles are addresses here.
static char primaries[2];
static CuContext primary(CuDevice device) {
  return reinterpret_cast<CuContext>(&primaries[device]);
}
static CuContext current() { return depth ? stack[depth - 1] : nullptr; }

static CuResult misuse(const std::string &what) {
  if (state.misuses++ == 0)
    state.misuse = what;
  return CuErrorInvalidValue;
}

/// A new thing that the user holds; its address is the handle.
template <typename HandleT>
static CuResult make(Holding kind, HandleT *handle, std::size_t bytes = 1) {
  void *made = std::malloc(bytes);
  state.held[kind][made] = current();
  *handle = reinterpret_cast<HandleT>(made);
  return CuSuccess;
}

template <typename HandleT> static bool holds(Holding kind, HandleT handle) {
  auto found = state.held[kind].find(reinterpret_cast<void *>(handle));
  return found != state.held[kind].end() && found->second == current();
}

template <typename HandleT> static CuResult drop(Holding kind, HandleT handle) {
  if (!holds(kind, handle))
    return misuse("a handle that is not held here is given back");
  state.held[kind].erase(reinterpret_cast<void *>(handle));
  std::free(reinterpret_cast<void *>(handle));
  return CuSuccess;
}

/// Whether the stream is one of this context's, or the default one.
static bool isStream(CuStream stream) {
  return !stream || holds(Streams, stream);
}

/// Whether device memory of this context is all of the range.
static bool isMemory(CuDevicePtr address, std::size_t bytes) {
  for (const auto &[begin, context] : state.held[Memory]) {
    auto first = reinterpret_cast<CuDevicePtr>(begin);
    if (context == current() && address >= first &&
        address + bytes <= first + state.bytes[begin])
      return true;
  }
  return false;
}

namespace {

#define NIBBLE_CUDA_SYMBOL(name, version, parameters) CuResult name parameters;
#include "Driver/Symbols.def"

//===----------------------------------------------------------------------===//
// Devices and contexts
//===----------------------------------------------------------------------===//

CuResult cuDeviceGetCount(int *count) {
  *count = STANDIN_DEVICES;
  return CuSuccess;
}

CuResult cuDeviceGet(CuDevice *device, int ordinal) {
  if (ordinal < 0 || ordinal >= STANDIN_DEVICES)
    return CuErrorInvalidDevice;
  *device = ordinal;
  return CuSuccess;
}

CuResult cuDeviceGetName(char *name, int length, CuDevice device) {
  std::strncpy(name, device ? "Stand-in B" : "Stand-in A", length);
  return CuSuccess;
}

CuResult cuDeviceGetAttribute(int *value, CuDeviceAttribute attribute,
                              CuDevice device) {
  static constexpr int capabilities[] = {STANDIN_CAPABILITY};
  switch (attribute) {
  case CuDeviceComputeCapabilityMajor:
    *value = capabilities[device] / 10;
    return CuSuccess;
  case CuDeviceComputeCapabilityMinor:
    *value = capabilities[device] % 10;
    return CuSuccess;
  case CuDeviceMaxSharedMemoryPerBlockOptin:
    *value = device ? 101376 : 232448;
    return CuSuccess;
  case CuDeviceMaxSharedMemoryPerMultiprocessor:
    *value = device ? 102400 : 233472;
    return CuSuccess;
  case CuDeviceMaxThreadsPerBlock:
    *value = standInThreads;
    return CuSuccess;
  default:
    // Different for each, so that one cannot pass for another.
    *value = 1000 * attribute + device;
    return CuSuccess;
  }
}

CuResult cuDeviceTotalMem(std::size_t *bytes, CuDevice device) {
  *bytes = standInMemory[device];
  return CuSuccess;
}

/// Takes its time, as a driver does, so that threads meet.
CuResult cuDevicePrimaryCtxRetain(CuContext *context, CuDevice device) {
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  ++state.retained[device];
  *context = primary(device);
  return CuSuccess;
}

CuResult cuDevicePrimaryCtxRelease(CuDevice device) {
  if (state.retained[device]-- == 0)
    return misuse("a context is released more often than retained");
  return CuSuccess;
}

CuResult cuCtxGetCurrent(CuContext *context) {
  *context = current();
  return CuSuccess;
}

CuResult cuCtxPushCurrent(CuContext context) {
  if (depth == 16)
    return misuse("contexts are pushed and not popped");
  stack[depth++] = context;
  return CuSuccess;
}

CuResult cuCtxPopCurrent(CuContext *context) {
  if (depth == 0)
    return misuse("a context is popped and none is current");
  *context = stack[--depth];
  return CuSuccess;
}

//===----------------------------------------------------------------------===//
// Linking and modules
//===----------------------------------------------------------------------===//

/// A link: what it was given, and where it is to write.
struct Link {
  std::vector<CuJitOption> options;
  void **values = nullptr;
  std::string cubin;
};
std::map<CuLinkState, Link> links;

CuResult cuLinkCreate(unsigned optionCount, CuJitOption *options,
                      void **optionValues, CuLinkState *made) {
  make(Links, made);
  links[*made] = {{options, options + optionCount}, optionValues, ""};
  return CuSuccess;
}

/// Text that has "bad" in it does not compile, and the log says so.
CuResult cuLinkAddData(CuLinkState given, CuJitInputType type, void *data,
                       std::size_t bytes, const char *name, unsigned, //
                       CuJitOption *, void **) {
  if (!holds(Links, given) || type != CuJitInputPtx)
    return misuse("cuLinkAddData");
  Link &link = links[given];
  std::string ptx(static_cast<const char *>(data), bytes);
  if (ptx.back() != '\0')
    return misuse("PTX ends in no zero");
  if (ptx.find("bad") == std::string::npos) {
    link.cubin = "cubin " + ptx;
    return CuSuccess;
  }
  char *log = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0; i < link.options.size(); ++i) {
    if (link.options[i] == CuJitErrorLogBuffer)
      log = static_cast<char *>(link.values[i]);
    if (link.options[i] == CuJitErrorLogBufferSizeBytes)
      size = reinterpret_cast<std::size_t>(link.values[i]);
  }
  std::string text = "ptxas " + std::string(name) + ", line 3; fatal : bad";
  // A log that is full is no string.
  if (ptx.find("very bad") != std::string::npos)
    text.resize(size, '!');
  std::memcpy(log, text.data(), std::min(size, text.size()));
  return CuErrorInvalidPtx;
}

CuResult cuLinkComplete(CuLinkState given, void **cubin, std::size_t *bytes) {
  if (!holds(Links, given))
    return misuse("cuLinkComplete");
  *cubin = links[given].cubin.data();
  *bytes = links[given].cubin.size();
  return CuSuccess;
}

/// Output values must live as long as the link: they are written here, too.
CuResult cuLinkDestroy(CuLinkState given) {
  Link &link = links[given];
  for (std::size_t i = 0; i < link.options.size(); ++i)
    if (link.options[i] == CuJitErrorLogBufferSizeBytes)
      link.values[i] = nullptr;
  std::fill(link.cubin.begin(), link.cubin.end(), '?');
  links.erase(given);
  return drop(Links, given);
}

CuResult cuModuleLoadDataEx(CuModule *module, const void *image, unsigned,
                            CuJitOption *, void **) {
  if (std::strncmp(static_cast<const char *>(image), "cubin ", 6) != 0)
    return CuErrorInvalidImage;
  return make(Modules, module);
}

CuResult cuModuleUnload(CuModule module) { return drop(Modules, module); }

/// A function's handle is its module's. Every module has all but "missing".
CuResult cuModuleGetFunction(CuFunction *function, CuModule module,
                             const char *name) {
  if (!holds(Modules, module))
    return misuse("cuModuleGetFunction");
  if (std::strcmp(name, "missing") == 0)
    return CuErrorNotFound;
  *function = reinterpret_cast<CuFunction>(module);
  return CuSuccess;
}

CuResult cuFuncGetAttribute(int *value, CuFunctionAttribute attribute,
                            CuFunction function) {
  *value = 100 + attribute;
  return holds(Modules, function) ? CuSuccess : misuse("cuFuncGetAttribute");
}

CuResult cuFuncSetAttribute(CuFunction function, CuFunctionAttribute attribute,
                            int value) {
  (attribute == CuFunctionMaxDynamicSharedSizeBytes ? state.sharedLimit
                                                    : state.sharedPreferred) =
      value;
  return holds(Modules, function) ? CuSuccess : misuse("cuFuncSetAttribute");
}

CuResult cuLaunchKernelEx(const CuLaunchConfig *config, CuFunction function,
                          void **, void **) {
  if (!holds(Modules, function) || !isStream(config->stream))
    return misuse("cuLaunchKernelEx");
  if (config->blockDimX > standInThreads)
    return CuErrorInvalidValue;
  state.launchBefore = state.launch;
  state.launch = *config;
  state.attribute = {};
  if (config->attributeCount)
    state.attribute = *config->attributes;
  return CuSuccess;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// What is left of the memory of the current context's device.
static std::size_t available() {
  std::size_t left = standInMemory[current() == primary(1)];
  for (const auto &[begin, context] : state.held[Memory])
    if (context == current())
      left -= state.bytes[begin];
  return left;
}

CuResult cuMemGetInfo(std::size_t *freeBytes, std::size_t *totalBytes) {
  *freeBytes = available();
  *totalBytes = standInMemory[current() == primary(1)];
  return CuSuccess;
}

CuResult cuMemAlloc(CuDevicePtr *address, std::size_t bytes) {
  if (bytes == 0)
    return misuse("cuMemAlloc of 0 bytes");
  if (bytes > available())
    return CuErrorOutOfMemory;
  make(Memory, address, bytes);
  state.bytes[reinterpret_cast<void *>(*address)] = bytes;
  return CuSuccess;
}

CuResult cuMemFree(CuDevicePtr address) {
  state.bytes.erase(reinterpret_cast<void *>(address));
  return drop(Memory, address);
}

CuResult copy(CuDevicePtr there, void *to, const void *from, std::size_t bytes,
              CuStream stream) {
  if (!isMemory(there, bytes) || !isStream(stream))
    return misuse("a copy of " + std::to_string(bytes) + " bytes");
  std::memcpy(to, from, bytes);
  return CuSuccess;
}

CuResult cuMemcpyHtoDAsync(CuDevicePtr to, const void *from, std::size_t bytes,
                           CuStream stream) {
  return copy(to, reinterpret_cast<void *>(to), from, bytes, stream);
}

CuResult cuMemcpyDtoHAsync(void *to, CuDevicePtr from, std::size_t bytes,
                           CuStream stream) {
  return copy(from, to, reinterpret_cast<void *>(from), bytes, stream);
}

CuResult cuMemcpyDtoDAsync(CuDevicePtr to, CuDevicePtr from, std::size_t bytes,
                           CuStream stream) {
  if (!isMemory(from, bytes))
    return misuse("a copy from memory that is not held");
  return copy(to, reinterpret_cast<void *>(to), reinterpret_cast<void *>(from),
              bytes, stream);
}

CuResult cuPointerGetAttributes(unsigned count, CuPointerAttribute *attributes,
                                void **values, CuDevicePtr address) {
  for (const auto &[begin, context] : state.held[Memory]) {
    auto first = reinterpret_cast<CuDevicePtr>(begin);
    if (address < first || address >= first + state.bytes[begin])
      continue;
    for (unsigned i = 0; i < count; ++i)
      *static_cast<unsigned *>(values[i]) =
          attributes[i] == CuPointerMemoryType      ? unsigned(CuMemoryDevice)
          : attributes[i] == CuPointerDeviceOrdinal ? context == primary(1)
                                                    : state.memoryIsManaged;
    return CuSuccess;
  }
  for (unsigned i = 0; i < count; ++i)
    *static_cast<unsigned *>(values[i]) =
        attributes[i] == CuPointerMemoryType && state.hostIsPageLocked
            ? CuMemoryHost
            : 0;
  return CuSuccess;
}

//===----------------------------------------------------------------------===//
// Streams, events and graphs
//===----------------------------------------------------------------------===//

CuResult cuStreamCreate(CuStream *stream, unsigned) {
  return make(Streams, stream);
}
CuResult cuStreamDestroy(CuStream stream) { return drop(Streams, stream); }
CuResult cuStreamSynchronize(CuStream stream) {
  return isStream(stream) ? CuSuccess : misuse("cuStreamSynchronize");
}
CuResult cuStreamBeginCapture(CuStream stream, CuCaptureMode) {
  if (!holds(Streams, stream))
    return misuse("cuStreamBeginCapture");
  captured = stream;
  return CuSuccess;
}
CuResult cuStreamEndCapture(CuStream, CuGraph *graph) {
  captured = nullptr;
  return make(Graphs, graph);
}
CuResult cuStreamIsCapturing(CuStream stream, CuCaptureStatus *status) {
  *status = stream && stream == captured ? CuCaptureActive : CuCaptureNone;
  return isStream(stream) ? CuSuccess : misuse("cuStreamIsCapturing");
}
CuResult cuThreadExchangeStreamCaptureMode(CuCaptureMode *mode) {
  std::swap(*mode, captureMode);
  return CuSuccess;
}
CuResult cuEventCreate(CuEvent *event, unsigned) { return make(Events, event); }
CuResult cuEventDestroy(CuEvent event) { return drop(Events, event); }
CuResult cuEventRecord(CuEvent event, CuStream stream) {
  return holds(Events, event) && isStream(stream) ? CuSuccess
                                                  : misuse("cuEventRecord");
}
CuResult cuEventSynchronize(CuEvent event) {
  return holds(Events, event) ? CuSuccess : misuse("cuEventSynchronize");
}
CuResult cuEventElapsedTime(float *milliseconds, CuEvent, CuEvent) {
  // Programs of many warps are slow, whatever they are.
  *milliseconds = state.launch.blockDimX > 64 ? 0.5f : 0.25f;
  return CuSuccess;
}
CuResult cuGraphInstantiateWithFlags(CuGraphExec *made, CuGraph graph,
                                     unsigned long long) {
  if (!holds(Graphs, graph))
    return misuse("cuGraphInstantiateWithFlags");
  return make(Executables, made);
}
CuResult cuGraphDestroy(CuGraph graph) { return drop(Graphs, graph); }
CuResult cuGraphExecDestroy(CuGraphExec executable) {
  return drop(Executables, executable);
}
CuResult cuGraphLaunch(CuGraphExec executable, CuStream stream) {
  return holds(Executables, executable) && isStream(stream)
             ? CuSuccess
             : misuse("cuGraphLaunch");
}

//===----------------------------------------------------------------------===//
// What all entries have in common
//===----------------------------------------------------------------------===//

struct Row {
  const char *name;
  int version;
};
const Row rows[] = {
#define NIBBLE_CUDA_SYMBOL(name, version, parameters) {#name, version},
#include "Driver/Symbols.def"
};

bool startsWith(const char *text, const char *begin) {
  return std::strncmp(text, begin, std::strlen(begin)) == 0;
}

struct Busy {
  Busy() { isBusy = true; }
  ~Busy() { isBusy = false; }
};

template <int entry, auto function, typename... Args>
CuResult checked(Args... args) {
  std::lock_guard lock(mutex);
  Busy busy;
  StandIn::Call &call = state.calls[entry];
  call = {call.count + 1, current(), captureMode};
  if (entry == state.failing)
    return state.failure;
  const char *name = rows[entry].name;
  bool anywhere = startsWith(name, "cuDevice") || startsWith(name, "cuCtx") ||
                  startsWith(name, "cuThread");
  if (!anywhere && current() != primary(0) && current() != primary(1))
    return misuse(std::string(name) + " without a context of the device");
  return function(args...);
}

template <int entry, auto function, typename... Args>
void *check(CuResult (*)(Args...)) {
  return reinterpret_cast<void *>(&checked<entry, function, Args...>);
}

} // namespace

//===----------------------------------------------------------------------===//
// What the library exports
//===----------------------------------------------------------------------===//

EXPORT CuResult cuInit(unsigned) { return CuResult(STANDIN_INIT); }

EXPORT CuResult cuDriverGetVersion(int *version) {
  *version = state.version ? state.version : STANDIN_VERSION;
  return CuSuccess;
}

EXPORT CuResult cuGetErrorName(CuResult error, const char **text) {
  switch (int(error)) {
  case CuErrorInvalidValue:
    *text = "CUDA_ERROR_INVALID_VALUE";
    return CuSuccess;
  case CuErrorOutOfMemory:
    *text = "CUDA_ERROR_OUT_OF_MEMORY";
    return CuSuccess;
  case CuErrorNoDevice:
    *text = "CUDA_ERROR_NO_DEVICE";
    return CuSuccess;
  case CuErrorInvalidImage:
    *text = "CUDA_ERROR_INVALID_IMAGE";
    return CuSuccess;
  case CuErrorInvalidPtx:
    *text = "CUDA_ERROR_INVALID_PTX";
    return CuSuccess;
  case CuErrorNotFound:
    *text = "CUDA_ERROR_NOT_FOUND";
    return CuSuccess;
  case 802:
    *text = "CUDA_ERROR_SYSTEM_NOT_READY";
    return CuSuccess;
  default:
    return CuErrorInvalidValue;
  }
}

EXPORT CuResult cuGetErrorString(CuResult error, const char **text) {
  *text = "the stand-in's text";
  const char *name = nullptr;
  return cuGetErrorName(error, &name);
}

/// As a driver does, finds no entry in a form that is older than its first.
EXPORT CuResult STANDIN_LOOKUP(const char *name, void **entry, int version,
                               std::uint64_t) {
  *entry = nullptr;
  if (std::strcmp(name, STANDIN_LACKS) == 0 || version > STANDIN_VERSION)
    return CuErrorNotFound;
#define NIBBLE_CUDA_SYMBOL(symbol, since, parameters)                          \
  if (std::strcmp(name, #symbol) == 0 && version >= since)                     \
    *entry = check<Entry_##symbol, &symbol>(&symbol);
#include "Driver/Symbols.def"
  return *entry ? CuSuccess : CuErrorNotFound;
}
