//===- API/State.h - What a QuantLinear holds
//------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_API_STATE_H
#define NIBBLE_API_STATE_H

#include "API/KernelChoice.h"
#include "Jit/LoadedKernel.h"
#include "Model/Layer.h"
#include "nibble/QuantLinear.h"
#include <array>
#include <atomic>
#include <map>
#include <mutex>

namespace nibble {

struct QuantLinear::State {
  model::Layer layer;
  std::string device = "cpu";

  /// The kernel for a type of x and a bucket, compiled if need be. Takes no
  /// lock once it is there.
  Result<const LoadedKernel *> kernelFor(DType type, int64_t rows);

  /// The memory held for `stream`; empty if there is none.
  Workspace reserved(void *stream);

  std::mutex mutex;
  std::vector<std::shared_ptr<const LoadedKernel>> owned;
  /// By the type of x (three types) and the bucket.
  std::array<std::atomic<const LoadedKernel *>, 3 * bucketCount> kernels{};
  std::map<void *, std::vector<std::byte>> workspaces;
};

} // namespace nibble

#endif // NIBBLE_API_STATE_H
