//===- Driver/Stream.h - Streams, and the time of work on them ------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What measuring needs: a stream, work captured into a graph, and the time of
// the graph's replays between two events.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_DRIVER_STREAM_H
#define NIBBLE_DRIVER_STREAM_H

#include "Driver/Device.h"
#include <functional>

namespace nibble::driver {

/// A stream of nibble's own.
class Stream {
public:
  static Result<std::unique_ptr<Stream>> create(const Device &device);
  ~Stream();
  Stream(const Stream &) = delete;
  Stream &operator=(const Stream &) = delete;

  CuStream handle() const { return stream; }
  Status synchronize() const;

private:
  explicit Stream(const Device &device) : device(device) {}
  const Device &device;
  CuStream stream = nullptr;
};

/// Waits until all work on `stream` is done.
Status synchronize(const Device &device, CuStream stream);

/// True if work on `stream` is being captured, or the driver does not say: it
/// refuses to of the default stream while another one is captured.
bool isCapturing(const Device &device, CuStream stream);

/// Work that was captured once and is replayed as a whole.
class Graph {
public:
  /// Captures what `work` puts on `stream`.
  static Result<std::unique_ptr<Graph>>
  capture(const Device &device, const Stream &stream,
          const std::function<Status()> &work);
  ~Graph();
  Graph(const Graph &) = delete;
  Graph &operator=(const Graph &) = delete;

  /// Replays on `stream` and waits; gives microseconds between an event before
  /// and one after.
  Result<double> time(const Stream &stream) const;

private:
  explicit Graph(const Device &device) : device(device) {}
  const Device &device;
  CuGraphExec executable = nullptr;
  CuEvent begin = nullptr, end = nullptr;
};

} // namespace nibble::driver

#endif // NIBBLE_DRIVER_STREAM_H
