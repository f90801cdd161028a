//===- API/State.h - What a QuantLinear holds -----------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_API_STATE_H
#define NIBBLE_API_STATE_H

#include "API/DeviceWeights.h"
#include "API/KernelChoice.h"
#include "Driver/Memory.h"
#include "Jit/Arguments.h"
#include "Jit/LoadedKernel.h"
#include "Model/Layer.h"
#include "Support/OutOfMemory.h"
#include "Transforms/KernelConfig.h"
#include "nibble/QuantLinear.h"
#include <array>
#include <atomic>
#include <map>
#include <mutex>

namespace nibble {

struct QuantLinear::State {
  model::Layer layer;
  /// What QuantLinear::inputRows() gives.
  std::vector<int32_t> inputRows;
  std::string deviceName = "cpu";
  /// Null for the CPU.
  const driver::Device *device = nullptr;
  std::string target = "host";
  /// What the options overrule of the choice of kernels.
  KernelConfig overrides;
  std::string schedule;
  /// The layer's arrays on the device, if there is one.
  DeviceWeights weights;

  /// What every call says of a layer that was moved from.
  static Status holdsNothing() {
    return Status(
        ErrorCode::InvalidArgument,
        "the layer holds nothing: it was not made by load(), create() "
        "or empty(), or was moved from");
  }
  /// `layer` held as `options` say.
  static Result<std::shared_ptr<State>>
  hold(model::Layer layer, const QuantLinearOptions &options,
       std::vector<int32_t> inputRows = {});

  /// Takes the device that `options` ask for, and what they overrule.
  Status configure(const QuantLinearOptions &options);
  /// Copies the layer to the device, if there is one.
  Status upload();
  /// What `kernel` reads of the layer.
  WeightAddresses addresses(const LoadedKernel &kernel) const;

  /// The kernel that `chosen` is taken for in calls of `kind`.
  CompileRequest requestFor(CallKind kind, const KernelConfig &chosen) const;
  /// Calls of this layer to be timed; see Tuner.cpp.
  class ColdCalls;
  /// What tune() found for such calls of layers like this one, unless the
  /// options overrule it.
  std::optional<KernelConfig> tuned(DType type, int64_t rows) const;
  /// Names the calls that share what tune() finds.
  std::string tuningKey(DType type, int64_t rows) const;
  /// The kernel for a call, compiled if need be. Takes no lock once it is
  /// there.
  Result<const LoadedKernel *> kernelFor(DType type, int64_t rows,
                                         bool aligned);

  /// The same for x and y without gaps, of checked `type` and `rows`.
  Result<const LoadedKernel *> kernelForDense(DType type, int64_t rows);
  /// Checks that a call may have `rows` rows of type `type`.
  static Status checkCall(DType type, int64_t rows);
  /// CallKind::aligned of calls where x and y have no gaps.
  bool denseIsAligned(DType type) const;

  /// The kernel make_dense for a type of x.
  Result<const LoadedKernel *> makeDenseKernel(DType type);

  /// Launches `kernel` for `rows` rows.
  Status launch(const LoadedKernel &kernel, const WeightAddresses &weights,
                MatrixArgument x, MatrixArgument y, int64_t rows,
                void *stream) const;
  /// forward() of arrays that kernels can reach. `denseX` is memory for x
  /// without gaps, if its columns have some.
  Status forwardThere(const TensorView &x, const TensorView &y, void *stream,
                      void *denseX);
  /// forward() of `rows` rows of which x or y is not `there`, on the device.
  Status forwardFromHost(const TensorView &x, const TensorView &y, int64_t rows,
                         bool xThere, bool yThere, void *stream,
                         Workspace workspace, size_t needed);

  /// The memory held for `stream`; empty if there is none.
  Workspace reserved(void *stream);
  Status reserve(size_t bytes, void *stream);

  std::mutex mutex;
  std::vector<std::shared_ptr<const LoadedKernel>> owned;
  /// By CallKind::number().
  std::array<std::atomic<const LoadedKernel *>, CallKind::count> kernels{};
  /// By the type of x.
  std::array<std::atomic<const LoadedKernel *>, 3> denseKernels{};
  /// Memory held for streams: the host's, or the device's.
  std::map<void *, std::vector<std::byte>> workspaces;
  std::map<void *, driver::DeviceBuffer> deviceWorkspaces;
};

} // namespace nibble

#endif // NIBBLE_API_STATE_H
