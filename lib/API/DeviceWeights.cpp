//===- API/DeviceWeights.cpp - A layer's arrays on a device ---------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See DeviceWeights.h.
//
//===----------------------------------------------------------------------===//

#include "API/DeviceWeights.h"
#include "Driver/Stream.h"
#include "Jit/Arguments.h"
#include "Jit/KernelCache.h"
#include "Layout/PackedOrder.h"
#include "Model/PackedWeights.h"
#include "Support/ThreadPool.h"
#include <optional>

using namespace nibble;
using driver::DeviceBuffer;
using layout::PackedOrder;

static const void *asPointer(const DeviceBuffer &buffer) {
  return reinterpret_cast<const void *>(buffer.address());
}

/// `from` is a vector or an ArrayRef.
template <typename ArrayT>
static Status copy(const driver::Device &device, driver::CuStream stream,
                   const ArrayT &from, DeviceBuffer &to) {
  Result<DeviceBuffer> buffer = DeviceBuffer::copyOf(
      device, from.data(), from.size() * sizeof(*from.data()), stream);
  if (buffer.ok())
    to = std::move(*buffer);
  return buffer.status();
}

Result<DeviceWeights> DeviceWeights::upload(const model::Layer &layer,
                                            llvm::ArrayRef<int32_t> from,
                                            const driver::Device &device,
                                            const std::string &target,
                                            Orders orders) {
  // The default stream may not be used while another one is captured.
  Result<std::unique_ptr<driver::Stream>> own = driver::Stream::create(device);
  if (!own.ok())
    return own.status();
  driver::CuStream stream = (*own)->handle();
  DeviceWeights weights;
  Status status = copy(device, stream, layer.bias, weights.bias);
  bool packs = orders != Orders::Checkpoint && model::packedGroupRows(layer);
  if (status.ok() && (orders != Orders::Packed || !packs))
    status = weights.copyCheckpointOrder(layer, from, device, stream);
  if (status.ok() && packs)
    status = weights.pack(layer, from, device, stream, target);
  if (!status.ok())
    return status;
  return weights;
}

Status DeviceWeights::bringCheckpointOrder(const model::Layer &layer,
                                           const driver::Device &device) {
  std::lock_guard lock(*bringing);
  if (qweight.address())
    return Status();
  Result<std::unique_ptr<driver::Stream>> own = driver::Stream::create(device);
  return own.ok() ? copyCheckpointOrder(layer, layer.qweight, device,
                                        (*own)->handle())
                  : own.status();
}

Status DeviceWeights::copyCheckpointOrder(const model::Layer &layer,
                                          llvm::ArrayRef<int32_t> from,
                                          const driver::Device &device,
                                          driver::CuStream stream) {
  DeviceBuffer codesThere;
  Status status = copy(device, stream, layer.qzeros, qzeros);
  if (status.ok())
    status = copy(device, stream, layer.scaleBytes(), scales);
  if (status.ok())
    status = copy(device, stream, layer.gIdx, gIdx);
  if (status.ok())
    status = copy(device, stream, from, codesThere);
  if (status.ok())
    qweight = std::move(codesThere); // all of it is there
  return status;
}

CompileRequest nibble::packRequest(int bits, const std::string &target) {
  CompileRequest request;
  request.kernel = "pack_weights";
  request.target = target;
  request.config = "BITS=" + std::to_string(bits) +
                   " BLOCK_K=" + std::to_string(PackedOrder(bits).unitRows()) +
                   " BLOCK_N=64 warps=4";
  return request;
}

Status DeviceWeights::pack(const model::Layer &layer,
                           llvm::ArrayRef<int32_t> from,
                           const driver::Device &device,
                           driver::CuStream stream, const std::string &target) {
  PackedOrder order(layer.bits);
  int64_t K = layer.inFeatures, N = layer.outFeatures;
  int64_t rows = order.packedRows(K), columns = order.packedColumns(N);
  // In the checkpoint's order: as they are, or rows of act-order, which are
  // sorted on the host.
  DeviceBuffer unpacked;
  auto bringCodes = [&]() -> Status {
    if (!layer.actOrder)
      return qweight.address() ? Status()
                               : copy(device, stream, from, unpacked);
    Result<model::SortedLayer> made = model::sortRowsByGroup(layer);
    Status status = made.status();
    if (status.ok())
      status = copy(device, stream, made->layer.qweight, unpacked);
    if (status.ok())
      status = copy(device, stream, made->permutation, permutation);
    return status;
  };
  auto prepare = [&]() -> Status {
    Result<DeviceBuffer> made = DeviceBuffer::allocate(
        device, static_cast<size_t>(rows * columns) * sizeof(int32_t));
    if (!made.ok())
      return made.status();
    codes = std::move(*made);
    return copy(device, stream, model::packScalesAndZeros(layer),
                scalesAndZeros);
  };
  // The codes are on their way while the rest is made.
  Status brought, prepared;
  std::optional<Result<std::shared_ptr<const LoadedKernel>>> found;
  ThreadPool::runBoth(
      [&] { brought = bringCodes(); },
      [&] {
        prepared = prepare();
        found.emplace(findOrCompile(packRequest(layer.bits, target), &device));
      });
  for (const Status &status : {brought, prepared})
    if (!status.ok())
      return status;
  Result<std::shared_ptr<const LoadedKernel>> &kernel = *found;
  if (!kernel.ok())
    return kernel.status().withContext("packing the weights");
  const KernelInterface &interface = (*kernel)->compiled().interface;
  auto matrix = [](const DeviceBuffer &buffer, int64_t rowStride) {
    return MatrixArgument{reinterpret_cast<void *>(buffer.address()), rowStride,
                          1};
  };
  KernelSizes sizes = {
      {"K", K},
      {"N", N},
      {"KP", rows * order.unitRows()},
      {"NP", columns / order.unitWords() * PackedOrder::unitColumns}};
  Result<int64_t> programs = interface.programs(sizes);
  if (!programs.ok())
    return programs.status();
  llvm::SmallVector<int64_t> values, words;
  for (const KernelSize &size : interface.sizes)
    values.push_back(sizes.at(size.name));
  fillWords(interface,
            {matrix(unpacked.address() ? unpacked : qweight, N),
             matrix(codes, columns)},
            values, words);
  Status status = (*kernel)->launch(words, *programs, stream);
  return status.ok() ? driver::synchronize(device, stream) : status;
}

WeightAddresses DeviceWeights::addresses(bool packed) const {
  // The packed order has zero points beside scales, and the permutation as
  // g_idx.
  if (packed)
    return {asPointer(codes), nullptr, asPointer(scalesAndZeros),
            asPointer(permutation), asPointer(bias)};
  return {asPointer(qweight), asPointer(qzeros), asPointer(scales),
          asPointer(gIdx), asPointer(bias)};
}

size_t DeviceWeights::bytesRead(bool packed) const {
  return packed ? codes.bytes() + scalesAndZeros.bytes()
                : qweight.bytes() + qzeros.bytes() + scales.bytes();
}

Result<WeightAddresses>
DeviceWeights::duplicate(bool packed, std::vector<DeviceBuffer> &copies,
                         driver::CuStream stream) const {
  WeightAddresses addresses = this->addresses(packed);
  Status status;
  auto copyTo = [&](const DeviceBuffer &buffer, const void *&address) {
    if (!status.ok())
      return;
    Result<DeviceBuffer> made = buffer.duplicate(stream);
    status = made.status();
    if (!status.ok())
      return;
    address = asPointer(*made);
    copies.push_back(std::move(*made));
  };
  copyTo(packed ? codes : qweight, addresses.qweight);
  copyTo(packed ? scalesAndZeros : scales, addresses.scales);
  if (!packed)
    copyTo(qzeros, addresses.qzeros);
  if (!status.ok())
    return status;
  return addresses;
}
