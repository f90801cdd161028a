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
#include "API/TunedTable.h"
#include "Driver/Memory.h"
#include "Jit/Arguments.h"
#include "Jit/KernelCache.h"
#include "Jit/LoadedKernel.h"
#include "Jit/TuningSearch.h"
#include "Model/Layer.h"
#include "Support/OutOfMemory.h"
#include "Transforms/KernelConfig.h"
#include "nibble/QuantLinear.h"
#include "llvm/ADT/STLExtras.h"
#include <array>
#include <atomic>
#include <map>
#include <mutex>

namespace nibble {

/// Where and how a layer runs, as its options say.
struct RunSettings {
  std::string deviceName = "cpu";
  /// Null for the CPU.
  const driver::Device *device = nullptr;
  std::string target = "host";
  /// By which kernels are chosen: the device's, with the capability of the
  /// target, whose code it runs.
  driver::DeviceProperties properties;
  /// What the options overrule of the choice of kernels.
  KernelConfig overrides;
  std::string schedule;
  /// What else the options say of the choice.
  TuningPolicy tuning = TuningPolicy::Heuristic;
  bool pinned = false, batchInvariant = false;
};

struct QuantLinear::State : RunSettings, std::enable_shared_from_this<State> {
  model::Layer layer;
  /// What QuantLinear::inputRows() gives.
  std::vector<int32_t> inputRows;
  /// The layer's arrays on the device, if there is one. Kernels bring what they
  /// read and is not there.
  mutable DeviceWeights weights;

  /// What every call says of a layer that was moved from.
  static Status holdsNothing() {
    return Status(
        ErrorCode::InvalidArgument,
        "the layer holds nothing: it was not made by load(), create() "
        "or empty(), or was moved from");
  }
  /// `layer` held as `options` say.
  static Result<QuantLinear> hold(model::Layer layer,
                                  const QuantLinearOptions &options,
                                  std::vector<int32_t> inputRows = {});

  /// Takes the device that `options` ask for, and what they overrule.
  Status configure(const QuantLinearOptions &options);
  /// Copies the layer to the device, if there is one; see
  /// DeviceWeights::upload().
  Status upload(llvm::ArrayRef<int32_t> codes);
  /// What `kernel` reads of the layer.
  WeightAddresses addresses(const LoadedKernel &kernel) const;

  /// The kernel that `chosen` is taken for in calls of `kind`.
  CompileRequest requestFor(CallKind kind, const KernelConfig &chosen) const;
  /// That kernel, loaded, with what it reads on the device.
  Result<std::shared_ptr<const LoadedKernel>>
  load(CallKind kind, const KernelConfig &chosen,
       Keep keep = Keep::Always) const;
  /// Calls of this layer to be timed; see Tuner.cpp.
  class ColdCalls;
  /// The kind of a call.
  CallKind kindOf(DType type, int64_t rows, bool aligned) const {
    bool host = !device;
    return {type, batchInvariant ? invariantBucket(host) : bucketOf(rows, host),
            aligned};
  }

  /// Whether tuning can change what calls run.
  bool isTunable() const;
  /// Names the calls that share what tuning finds. For a layer on a device.
  TuningKey tuningKey(DType type, int64_t rows) const;
  /// What tuning found for such calls of layers like this one.
  std::optional<KernelConfig> tuned(DType type, int64_t rows) const;
  /// What a search found: what it looked at, the fastest first, how many it
  /// measured, and the best.
  struct Search {
    std::vector<Candidate> candidates;
    size_t measured = 0;
    std::optional<KernelConfig> best;
  };
  /// Searches `configs`, of which `times` are known, and holds the best one's
  /// kernel if it was measured. One search at a time.
  Result<Search> search(DType type, int64_t rows,
                        llvm::ArrayRef<KernelConfig> configs,
                        const MeasuredTimes &times, const SearchLimits &limits,
                        llvm::function_ref<bool()> cancelled);
  /// Tunes such calls unless this process did, and lets this layer run what was
  /// found.
  Result<Search> tuneOnce(DType type, int64_t rows,
                          llvm::function_ref<bool()> cancelled);
  /// The same on another thread, if the layer still exists when its turn comes.
  void tuneInBackground(DType type, int64_t rows);
  /// Puts the tuned kernels in the place of those in use.
  Status replaceKernels(DType type, int64_t rows);

  /// The kernel for a call on `stream`, or for one to come, compiled if need
  /// be. Takes no lock once it is there.
  Result<const LoadedKernel *> kernelFor(DType type, int64_t rows, bool aligned,
                                         std::optional<void *> stream) {
    CallKind kind = kindOf(type, rows, aligned);
    if (const LoadedKernel *found =
            kernels[kind.number()].load(std::memory_order_acquire))
      return found;
    return chooseKernel(kind, rows, stream);
  }
  Result<const LoadedKernel *> chooseKernel(CallKind kind, int64_t rows,
                                            std::optional<void *> stream);
  /// Keeps `kernel` while this lives. With the lock held.
  void hold(std::shared_ptr<const LoadedKernel> kernel) {
    if (!llvm::is_contained(owned, kernel))
      owned.push_back(std::move(kernel));
  }

  /// The same for x and y without gaps, of checked `type` and `rows`.
  Result<const LoadedKernel *> kernelForDense(DType type, int64_t rows);
  /// Checks that a call may have `rows` rows of type `type`.
  static Status checkCall(DType type, int64_t rows);
  /// CallKind::aligned of calls where x and y have no gaps.
  bool denseIsAligned(DType type) const;

  /// Whether kernels of the packed order have x's columns sorted before; see
  /// sortsColumns().
  bool sortsX() const;
  /// The bytes that a kernel before the product may write for `rows` rows of x
  /// of type `type`, its columns `strided` or not; 0 if there is none.
  size_t bytesBefore(DType type, int64_t rows, bool strided) const;
  /// The bytes that a call on a device needs where x or y is in host memory.
  size_t bytesFromHost(DType type, int64_t rows) const;
  /// The kernels of a call.
  struct CallKernels {
    const LoadedKernel &product;
    /// Copies x so that the product can read it, its columns sorted if it
    /// `sorts`; null: it can as it is.
    const LoadedKernel *before = nullptr;
    bool sorts = false;
  };
  /// Those of calls of `rows` rows of x of type `type`, aligned as a CallKind
  /// says, its columns `strided` or not, whose product is `product`.
  Result<CallKernels> kernelsOf(const LoadedKernel &product, DType type,
                                int64_t rows, bool aligned, bool strided);

  /// Launches them for `rows` rows of x. The kernel before the product writes
  /// to `scratch`.
  Status launch(const CallKernels &kernels, const WeightAddresses &weights,
                MatrixArgument x, MatrixArgument y, int64_t rows, void *stream,
                void *scratch) const;
  /// forward() of arrays that kernels can reach.
  Status forwardThere(const TensorView &x, const TensorView &y, void *stream,
                      void *scratch);
  /// forward() of `rows` rows of which x or y is not `there`, on the device.
  Status forwardFromHost(const TensorView &x, const TensorView &y, int64_t rows,
                         bool xThere, bool yThere, void *stream,
                         Workspace workspace);

  /// The workspace for a call on `stream` that needs `needed` bytes, `why` it
  /// does: the one `given`, else the one held for the stream, which is the
  /// call's alone while it holds `alone`.
  Result<Workspace> workspaceFor(Workspace given, void *stream, size_t needed,
                                 const char *why,
                                 std::unique_lock<std::mutex> &alone);
  /// Holds at least `bytes` bytes for `stream`.
  Status reserve(size_t bytes, void *stream);

  std::mutex mutex;
  std::vector<std::shared_ptr<const LoadedKernel>> owned;
  /// Counts the changes of what tuning found, under the lock.
  std::atomic<unsigned> generation = 0;
  /// By CallKind::number().
  std::array<std::atomic<const LoadedKernel *>, CallKind::count> kernels{};
  /// Those that copy x before a product, by its type: as it is, or sorted by
  /// the kernel of that index.
  std::array<std::array<std::atomic<const LoadedKernel *>, 3>,
             1 + std::size(sortedColumns)>
      before{};
  /// Memory held for calls: on the host, or for streams of the device. The lock
  /// is held while a call puts work on it.
  std::mutex reservedMutex;
  std::vector<std::byte> hostWorkspace;
  std::map<void *, driver::DeviceBuffer> deviceWorkspaces;
};

} // namespace nibble

#endif // NIBBLE_API_STATE_H
