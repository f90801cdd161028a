//===- API/DeviceWeights.h - A layer's arrays on a device -----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The memory that a layer takes on a GPU: its arrays in the orders that its
// calls read, the checkpoint's and the packed one (see Layout/PackedOrder.h),
// which the kernel pack_weights makes there once.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_API_DEVICEWEIGHTS_H
#define NIBBLE_API_DEVICEWEIGHTS_H

#include "Driver/Memory.h"
#include "Model/Layer.h"
#include "nibble/Compiler.h"
#include <vector>

namespace nibble {

/// What a launch of matmul_248 is passed of a layer. For kernels of packed
/// weights qweight has the packed codes, scales the scales and zero points, and
/// gIdx the permutation of an act-order layer.
struct WeightAddresses {
  const void *qweight, *qzeros, *scales, *gIdx, *bias;
};

/// The kernel that packs codes of `bits` bits on a device.
CompileRequest packRequest(int bits, const std::string &target);

/// Device memory with a layer's weights.
class DeviceWeights {
public:
  /// Which orders of the weights are on the device from the beginning.
  enum class Orders { Checkpoint, Both, Packed };

  /// Copies `layer` to `device`, which takes code for `target`. The packed
  /// order is left out if the layer has none. Its codes are read at `from`;
  /// unless it has act-order, layer.qweight may be written meanwhile.
  static Result<DeviceWeights> upload(const model::Layer &layer,
                                      llvm::ArrayRef<int32_t> from,
                                      const driver::Device &device,
                                      const std::string &target, Orders orders);

  /// Brings the checkpoint's order of `layer` to `device` if it is not there,
  /// for a kernel that reads it. Any number of threads may ask.
  Status bringCheckpointOrder(const model::Layer &layer,
                              const driver::Device &device);

  /// What a kernel reads; the checkpoint's order must be there if it is not
  /// `packed`.
  WeightAddresses addresses(bool packed) const;
  /// True if the packed order is there.
  bool arePacked() const { return codes.address() != 0; }

  /// The addresses with copies, appended to `copies`, in the place of all that
  /// a call reads once: for calls that are to find nothing in a cache. Copies
  /// on `stream`.
  Result<WeightAddresses> duplicate(bool packed,
                                    std::vector<driver::DeviceBuffer> &copies,
                                    driver::CuStream stream) const;
  /// The bytes of those copies.
  size_t bytesRead(bool packed) const;

private:
  Status copyCheckpointOrder(const model::Layer &layer,
                             llvm::ArrayRef<int32_t> from,
                             const driver::Device &device,
                             driver::CuStream stream);
  Status pack(const model::Layer &layer, llvm::ArrayRef<int32_t> from,
              const driver::Device &device, driver::CuStream stream,
              const std::string &target);

  std::unique_ptr<std::mutex> bringing = std::make_unique<std::mutex>();
  driver::DeviceBuffer qweight, qzeros, scales, gIdx, bias;
  driver::DeviceBuffer codes, scalesAndZeros, permutation;
};

} // namespace nibble

#endif // NIBBLE_API_DEVICEWEIGHTS_H
