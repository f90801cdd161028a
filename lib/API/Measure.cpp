//===- API/Measure.cpp - How long a layer's calls take --------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See ColdCalls.h.
//
//===----------------------------------------------------------------------===//

#include "API/ColdCalls.h"
#include "Driver/Stream.h"
#include "Jit/Timing.h"
#include "Support/Half.h"
#include "llvm/Support/MathExtras.h"
#include <chrono>
#include <random>

using namespace nibble;

/// x of random numbers, and y.
static std::pair<std::vector<char>, std::vector<char>>
randomArrays(DType type, int64_t rows, const model::Layer &layer) {
  // More than a vector takes if it does not fit.
  auto bytes = [&](int64_t columns, size_t elementBytes) {
    return llvm::SaturatingMultiply(
        static_cast<size_t>(rows), static_cast<size_t>(columns) * elementBytes);
  };
  std::vector<char> x(bytes(layer.inFeatures, dtypeSize(type))),
      y(bytes(layer.outFeatures, 2));
  std::minstd_rand random;
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (int64_t i = 0; i < rows * layer.inFeatures; ++i) {
    float value = uniform(random);
    if (type == DType::F32)
      reinterpret_cast<float *>(x.data())[i] = value;
    else
      reinterpret_cast<uint16_t *>(x.data())[i] =
          type == DType::F16 ? floatToHalf(value) : floatToBfloat(value);
  }
  return {std::move(x), std::move(y)};
}

Result<QuantLinear::State::ColdCalls>
QuantLinear::State::ColdCalls::make(State &state, DType type, int64_t rows,
                                    bool packed) {
  auto [x, y] = randomArrays(type, rows, state.layer);
  // The default stream waits for others, and may not be used while one of them
  // is captured.
  Result<std::unique_ptr<driver::Stream>> own =
      driver::Stream::create(*state.device);
  if (!own.ok())
    return own.status();
  driver::CuStream stream = (*own)->handle();
  ColdCalls calls(state, type, rows);
  for (const std::vector<char> *array : {&x, &y}) {
    Result<driver::DeviceBuffer> buffer = driver::DeviceBuffer::copyOf(
        *state.device, array->data(), array->size(), stream);
    if (!buffer.ok())
      return buffer.status();
    calls.buffers.push_back(std::move(*buffer));
  }
  Result<driver::DeviceBuffer> scratch = driver::DeviceBuffer::allocate(
      *state.device, state.bytesBefore(type, rows, /*strided=*/false));
  if (!scratch.ok())
    return scratch.status();
  calls.buffers.push_back(std::move(*scratch));
  Result<size_t> free = state.device->freeBytes();
  if (!free.ok())
    return free.status();
  size_t copies = coldCopies(static_cast<size_t>(coldBytes(*state.device)),
                             state.weights.bytesRead(packed), *free);
  for (size_t i = 0; i < copies; ++i) {
    Result<WeightAddresses> weights =
        state.weights.duplicate(packed, calls.buffers, stream);
    if (!weights.ok())
      return weights.status();
    calls.weights.push_back(*weights);
  }
  if (calls.weights.empty()) // no room for any
    calls.weights.push_back(state.weights.addresses(packed));
  return calls;
}

Result<CallTime>
QuantLinear::State::ColdCalls::time(const LoadedKernel &kernel) const {
  auto at = [&](size_t place) {
    return reinterpret_cast<void *>(buffers[place].address());
  };
  Result<CallKernels> kernels =
      state.kernelsOf(kernel, type, rows, state.denseIsAligned(type),
                      /*strided=*/false);
  if (!kernels.ok())
    return kernels.status();
  std::vector<Call> calls;
  for (const WeightAddresses &each : weights)
    calls.push_back([&](void *stream) {
      return state.launch(*kernels, each, {at(0), state.layer.inFeatures, 1},
                          {at(1), state.layer.outFeatures, 1}, rows, stream,
                          at(2));
    });
  return timeCalls(*state.device, calls);
}

/// The time of calls on the CPU: up to 200, or about 0.3 seconds of them.
static Result<CallTime> measureOnHost(const QuantLinear &linear,
                                      const model::Layer &layer, DType type,
                                      int64_t rows) {
  using Clock = std::chrono::steady_clock;
  auto [x, y] = randomArrays(type, rows, layer);
  TensorView xView =
      TensorView::dense(x.data(), type, {rows, layer.inFeatures});
  TensorView yView = TensorView::dense(
      y.data(), type == DType::BF16 ? DType::BF16 : DType::F16,
      {rows, layer.outFeatures});
  // The first call warms up.
  if (Status status = linear.forward(xView, yView); !status.ok())
    return status;
  std::vector<double> times;
  Clock::time_point begin = Clock::now();
  while (times.size() < 5 ||
         (times.size() < 200 &&
          Clock::now() - begin < std::chrono::milliseconds(300))) {
    Clock::time_point before = Clock::now();
    if (Status status = linear.forward(xView, yView); !status.ok())
      return status;
    times.push_back(
        std::chrono::duration<double, std::micro>(Clock::now() - before)
            .count());
  }
  return summarise(std::move(times));
}

Result<CallTime> QuantLinear::measure(DType type, int64_t rows) const try {
  if (!state)
    return State::holdsNothing();
  Result<const LoadedKernel *> kernel = state->kernelForDense(type, rows);
  if (!kernel.ok())
    return kernel.status();
  if (!state->device)
    return measureOnHost(*this, state->layer, type, rows);
  Result<State::ColdCalls> calls =
      State::ColdCalls::make(*state, type, rows, (*kernel)->readsPacked());
  if (!calls.ok())
    return calls.status();
  return calls->time(**kernel);
} catch (...) {
  return caughtOutOfMemory();
}
