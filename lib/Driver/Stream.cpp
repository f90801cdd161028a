//===- Driver/Stream.cpp - Streams, and the time of work on them ----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Stream.h.
//
//===----------------------------------------------------------------------===//

#include "Driver/Stream.h"
#include "Support/OutOfMemory.h"

using namespace nibble;
using namespace nibble::driver;

/// What messages say of a call whose arguments are handles.
static std::string text(const Device &device) {
  return "device=" + std::to_string(device.ordinal());
}

Result<std::unique_ptr<Stream>> Stream::create(const Device &device) {
  ContextGuard guard(device);
  if (!guard.status().ok())
    return guard.status();
  std::unique_ptr<Stream> result(new Stream(device));
  NIBBLE_CUDA_TRY(device.driver(), cuStreamCreate,
                  (&result->stream, CuStreamNonBlocking), text(device));
  return result;
}

Stream::~Stream() {
  ContextGuard guard(device);
  if (stream && guard.status().ok())
    device.api().cuStreamDestroy(stream);
}

Status Stream::synchronize() const {
  return driver::synchronize(device, stream);
}

Status driver::synchronize(const Device &device, CuStream stream) {
  ContextGuard guard(device);
  if (!guard.status().ok())
    return guard.status();
  NIBBLE_CUDA_TRY(device.driver(), cuStreamSynchronize, (stream), text(device));
  return {};
}

bool driver::isCapturing(const Device &device, CuStream stream) {
  ContextGuard guard(device);
  CuCaptureStatus status = CuCaptureNone;
  return !guard.status().ok() ||
         device.api().cuStreamIsCapturing(stream, &status) != CuSuccess ||
         status != CuCaptureNone;
}

Result<std::unique_ptr<Graph>>
Graph::capture(const Device &device, const Stream &stream,
               const std::function<Status()> &work) {
  ContextGuard guard(device);
  if (!guard.status().ok())
    return guard.status();
  std::unique_ptr<Graph> result(new Graph(device));
  const Driver &driver = device.driver();
  NIBBLE_CUDA_TRY(driver, cuEventCreate, (&result->begin, CuEventDefault),
                  text(device));
  NIBBLE_CUDA_TRY(driver, cuEventCreate, (&result->end, CuEventDefault),
                  text(device));
  NIBBLE_CUDA_TRY(driver, cuStreamBeginCapture,
                  (stream.handle(), CuCaptureThreadLocal), text(device));
  Status worked = catchOutOfMemory(work); // the capture must end
  CuGraph graph = nullptr;
  CuResult ended = device.api().cuStreamEndCapture(stream.handle(), &graph);
  if (!worked.ok()) {
    if (graph)
      device.api().cuGraphDestroy(graph);
    return worked;
  }
  if (ended != CuSuccess)
    return driver.error(ended, "cuStreamEndCapture", text(device));
  CuResult made =
      device.api().cuGraphInstantiateWithFlags(&result->executable, graph, 0);
  device.api().cuGraphDestroy(graph);
  if (made != CuSuccess)
    return driver.error(made, "cuGraphInstantiateWithFlags", text(device));
  return result;
}

Graph::~Graph() {
  ContextGuard guard(device);
  if (!guard.status().ok())
    return;
  if (executable)
    device.api().cuGraphExecDestroy(executable);
  for (CuEvent event : {begin, end})
    if (event)
      device.api().cuEventDestroy(event);
}

Result<double> Graph::time(const Stream &stream) const {
  ContextGuard guard(device);
  if (!guard.status().ok())
    return guard.status();
  const Driver &driver = device.driver();
  NIBBLE_CUDA_TRY(driver, cuEventRecord, (begin, stream.handle()),
                  text(device));
  NIBBLE_CUDA_TRY(driver, cuGraphLaunch, (executable, stream.handle()),
                  text(device));
  NIBBLE_CUDA_TRY(driver, cuEventRecord, (end, stream.handle()), text(device));
  NIBBLE_CUDA_TRY(driver, cuEventSynchronize, (end), text(device));
  float milliseconds = 0;
  NIBBLE_CUDA_TRY(driver, cuEventElapsedTime, (&milliseconds, begin, end),
                  text(device));
  return static_cast<double>(milliseconds) * 1e3;
}
