//===- Driver/Driver.h - The CUDA driver, loaded at run time --------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// libcuda.so.1 belongs to the machine, not to nibble: it is opened when the
// first device is asked for, so that one build of nibble runs with any driver
// from 11.8 on, and runs without one where no GPU is needed. Everything that
// can be missing (the library, an entry point, a device) is a Status here.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_DRIVER_DRIVER_H
#define NIBBLE_DRIVER_DRIVER_H

#include "Driver/CudaTypes.h"
#include "nibble/Status.h"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace nibble::driver {

class Device;

/// The oldest driver that nibble runs on, as 1000 * major + 10 * minor. 11.8
/// is the first that reads PTX 7.8, the lowest version with targets sm_89 and
/// sm_90; the newest entry point that nibble cannot do without is
/// cuLaunchKernelEx, of 11.6. (sm_90a needs PTX 8.0, hence 12.0: an older
/// driver refuses that kernel when it is loaded, and says so.)
inline constexpr int minimumDriverVersion = 11080;

/// The driver's entry points, each resolved when the driver is loaded.
struct CudaApi {
#define NIBBLE_CUDA_SYMBOL(name, version, parameters)                          \
  CuResult(*name) parameters;
#include "Driver/Symbols.def"
  CuResult (*cuGetErrorName)(CuResult error, const char **text);
  CuResult (*cuGetErrorString)(CuResult error, const char **text);
};

/// One loaded driver library and the devices that it shows. It owns its
/// Devices, and everything made from a Device must go before it. Every member
/// may be called from any thread.
class Driver {
public:
  /// The process's driver, `libcuda.so.1`, loaded by the first call. It is
  /// never unloaded: other users of CUDA in the process share it, and at exit
  /// the order of destruction is not ours. A failure is kept, too: a driver
  /// does not appear while a process runs.
  ///
  /// \returns NotFound without a driver library or without a GPU, Unsupported
  /// for a driver older than `minimumDriverVersion`, DeviceError where the
  /// driver does not initialise.
  static Result<Driver *> get();

  /// A driver loaded from the library `path`, owned by the caller; for tests.
  /// Errors as in get().
  static Result<std::unique_ptr<Driver>> load(const std::string &path);

  ~Driver();
  Driver(const Driver &) = delete;
  Driver &operator=(const Driver &) = delete;

  /// The newest CUDA version that this driver serves, as 1000 * major + 10 *
  /// minor: 13000 for 13.0.
  int version() const { return driverVersion; }

  /// The version of the driver itself, and with it of its compiler: CUDA's
  /// version and, where the system tells it, the release (`13.0 580.95.05`).
  std::string build() const;

  /// The newest PTX ISA version that this driver's compiler is known to read,
  /// as 10 * major + minor: 78 for 7.8. A driver newer than this table reads
  /// at least the last version in it.
  int ptxVersion() const;

  /// How many devices the process can see.
  int deviceCount() const { return count; }

  /// Device number `ordinal`, with its primary context retained until the
  /// Driver goes. The Driver owns it, and gives the same pointer every time.
  ///
  /// \returns NotFound for an ordinal outside [0, deviceCount()).
  Result<Device *> device(int ordinal);

  /// The entry points; calls that need a current context need a ContextGuard.
  const CudaApi &api() const { return entries; }

  /// The Status for `result`, returned by entry point `call` with `arguments`
  /// (`name=value, ...`): the message names all three and adds the driver's
  /// own name and text for the error.
  Status error(CuResult result, const char *call,
               const std::string &arguments) const;

private:
  Driver() = default;
  Status resolve(void *library);

  CudaApi entries = {};
  void *library = nullptr;
  int driverVersion = 0;
  int count = 0;
  std::mutex devicesLock;
  /// Indexed by ordinal; null until device() is first asked for it.
  std::vector<std::unique_ptr<Device>> devices;
};

/// `12000` as `12.0`: the way versions are written in messages.
std::string formatCudaVersion(int version);

} // namespace nibble::driver

/// Calls entry point `call` of `loaded` (a Driver) with the parenthesised
/// `arguments` and returns from the enclosing function with its Status if it
/// fails. `describe` (a std::string) is evaluated on failure alone.
#define NIBBLE_CUDA_TRY(loaded, call, arguments, describe)                     \
  do {                                                                         \
    const ::nibble::driver::CuResult cudaTryResult =                           \
        (loaded).api().call arguments;                                         \
    if (cudaTryResult != ::nibble::driver::CuSuccess)                          \
      return (loaded).error(cudaTryResult, #call, describe);                   \
  } while (false)

#endif // NIBBLE_DRIVER_DRIVER_H
