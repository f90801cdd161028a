//===- Driver/Driver.cpp - Loading the CUDA driver ------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Opens the driver library, checks its version and resolves every entry point
// of Symbols.def. Four entries come from the symbol table itself, because they
// explain a failure of the rest.
//
//===----------------------------------------------------------------------===//

#include "Driver/Driver.h"

#include "Driver/Device.h"

#include <dlfcn.h>
#include <fstream>

namespace nibble::driver {

std::string formatCudaVersion(int version) {
  return std::to_string(version / 1000) + "." +
         std::to_string(version % 1000 / 10);
}

namespace {

template <typename FunctionT>
void findExport(void *library, const char *name, FunctionT &out) {
  out = reinterpret_cast<FunctionT>(dlsym(library, name));
}

/// The error text of the dynamic loader, which is per thread.
std::string loaderError() {
  const char *text = dlerror();
  return text ? text : "unknown loader error";
}

} // namespace

Status Driver::error(CuResult result, const char *call,
                     const std::string &arguments) const {
  const char *name = nullptr;
  const char *text = nullptr;
  if (!entries.cuGetErrorName ||
      entries.cuGetErrorName(result, &name) != CuSuccess)
    name = nullptr;
  if (!entries.cuGetErrorString ||
      entries.cuGetErrorString(result, &text) != CuSuccess)
    text = nullptr;

  std::string message = std::string(call) + "(" + arguments + ") failed: ";
  message += name ? name : "CUDA error";
  message += " (" + std::to_string(static_cast<int>(result));
  message += text ? std::string("), ") + text : std::string(")");

  switch (result) {
  case CuErrorOutOfMemory:
    return {ErrorCode::OutOfMemory, std::move(message)};
  case CuErrorNoDevice:
  case CuErrorInvalidDevice:
  case CuErrorNotFound:
    return {ErrorCode::NotFound, std::move(message)};
  case CuErrorInvalidPtx:
    return {ErrorCode::CompileError, std::move(message)};
  case CuErrorNoBinaryForGpu:
  case CuErrorUnsupportedPtxVersion:
  case CuErrorJitCompilerNotFound:
  case CuErrorJitCompilationDisabled:
    return {ErrorCode::Unsupported, std::move(message)};
  default:
    return {ErrorCode::DeviceError, std::move(message)};
  }
}

Status Driver::resolve(void *library) {
  findExport(library, "cuGetErrorName", entries.cuGetErrorName);
  findExport(library, "cuGetErrorString", entries.cuGetErrorString);

  CuResult (*getVersion)(int *) = nullptr;
  findExport(library, "cuDriverGetVersion", getVersion);
  if (!getVersion)
    return {ErrorCode::Unsupported,
            "the driver library exports no cuDriverGetVersion; it is not a "
            "CUDA driver"};
  if (CuResult result = getVersion(&driverVersion))
    return error(result, "cuDriverGetVersion", "");
  if (driverVersion < minimumDriverVersion)
    return {ErrorCode::Unsupported,
            "the CUDA driver serves CUDA " + formatCudaVersion(driverVersion) +
                "; nibble needs " + formatCudaVersion(minimumDriverVersion) +
                " or newer (driver branch 520)"};

  CuGetProcAddress getProcAddress = nullptr;
  findExport(library, "cuGetProcAddress", getProcAddress);
  if (!getProcAddress)
    return {ErrorCode::Unsupported,
            "the CUDA driver exports no cuGetProcAddress"};

  // The default flag: entries act on the legacy default stream for stream 0,
  // as the host's runtime does unless it was built to do otherwise.
  constexpr std::uint64_t flags = 0;
  auto find = [&](const char *name, int version, auto &entry) {
    void *found = nullptr;
    if (getProcAddress(name, &found, version, flags) != CuSuccess)
      found = nullptr;
    entry = reinterpret_cast<std::remove_reference_t<decltype(entry)>>(found);
    return found != nullptr;
  };
#define NIBBLE_CUDA_SYMBOL(name, version, parameters)                          \
  if (!find(#name, version, entries.name))                                     \
    return {ErrorCode::Unsupported,                                            \
            "the CUDA driver (CUDA " + formatCudaVersion(driverVersion) +      \
                ") lacks the entry point " #name " of CUDA " +                 \
                formatCudaVersion(version)};
#include "Driver/Symbols.def"

  CuResult (*init)(unsigned) = nullptr;
  findExport(library, "cuInit", init);
  if (!init)
    return {ErrorCode::Unsupported, "the CUDA driver exports no cuInit"};
  if (CuResult result = init(0))
    return error(result, "cuInit", "flags=0");
  if (CuResult result = entries.cuDeviceGetCount(&count))
    return error(result, "cuDeviceGetCount", "");
  if (count < 1)
    return {ErrorCode::NotFound, "the CUDA driver shows no device (0 GPUs)"};
  devices.resize(static_cast<std::size_t>(count));
  return {};
}

Result<std::unique_ptr<Driver>> Driver::load(const std::string &path) {
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return Status(ErrorCode::NotFound, "no CUDA driver: " + loaderError());
  std::unique_ptr<Driver> driver(new Driver);
  driver->library = library;
  if (Status status = driver->resolve(library); !status.ok())
    return status.withContext(path);
  return driver;
}

Result<Driver *> Driver::get() {
  // Leaked on purpose, see the header. The initialisation of a local static is
  // thread-safe, so the library is loaded once.
  static Result<std::unique_ptr<Driver>> *loaded =
      new Result<std::unique_ptr<Driver>>(load("libcuda.so.1"));
  if (!loaded->ok())
    return loaded->status();
  return (*loaded)->get();
}

Driver::~Driver() {
  // The devices release their contexts through the library.
  devices.clear();
  if (library)
    dlclose(library);
}

Result<Device *> Driver::device(int ordinal) {
  if (ordinal < 0 || ordinal >= count)
    return Status(ErrorCode::NotFound,
                  "no CUDA device " + std::to_string(ordinal) +
                      ": the driver shows " + std::to_string(count) +
                      " (numbered from 0)");
  std::lock_guard<std::mutex> lock(devicesLock);
  std::unique_ptr<Device> &slot = devices[static_cast<std::size_t>(ordinal)];
  if (!slot) {
    Result<std::unique_ptr<Device>> opened = Device::open(*this, ordinal);
    if (!opened.ok())
      return opened.status();
    slot = std::move(*opened);
  }
  return slot.get();
}

std::string Driver::build() const {
  std::ifstream file("/sys/module/nvidia/version");
  std::string release;
  file >> release;
  return formatCudaVersion(driverVersion) +
         (release.empty() ? "" : " " + release);
}

int Driver::ptxVersion() const {
  // CUDA release notes: the PTX ISA version that each release introduced.
  struct Row {
    int driver, ptx;
  };
  static constexpr Row rows[] = {
      {13010, 91}, {13000, 90}, {12090, 88}, {12080, 87},
      {12070, 86}, {12050, 85}, {12040, 84}, {12030, 83},
      {12020, 82}, {12010, 81}, {12000, 80}, {11080, 78},
  };
  for (const Row &row : rows)
    if (driverVersion >= row.driver)
      return row.ptx;
  return rows[std::size(rows) - 1].ptx;
}

} // namespace nibble::driver
