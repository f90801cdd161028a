//===- StreamTest.cpp - Streams, and graphs that are timed ----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Driver/Stream.h"
#include "WithStandIn.h"

using namespace nibble;
using namespace nibble::driver;
using namespace nibble::test;

namespace {

class DeviceStreams : public WithStandIn {
protected:
  void SetUp() override {
    WithStandIn::SetUp();
    stream = std::move(*Stream::create(device(1)));
  }
  void TearDown() override {
    stream.reset();
    WithStandIn::TearDown();
  }

  /// A graph of the work of nothing, which ends with `outcome`.
  Result<std::unique_ptr<Graph>> capture(Status outcome = Status()) {
    return Graph::capture(device(1), *stream, [&] { return outcome; });
  }

  std::unique_ptr<Stream> stream;
};

TEST_F(DeviceStreams, AreOfTheirDevice) {
  EXPECT_EQ(state->calls[Entry_cuStreamCreate].context, device(1).context());
  EXPECT_TRUE(stream->synchronize().ok());
  fail(Entry_cuStreamSynchronize, 719);
  EXPECT_REFUSED(stream->synchronize(), DeviceError,
                 "cuStreamSynchronize(device=1) failed: CUDA error (719)");
  fail(Entry_cuStreamCreate, CuErrorOutOfMemory);
  EXPECT_REFUSED(Stream::create(device(1)).status(), OutOfMemory,
                 "cuStreamCreate(device=1) failed: CUDA_ERROR_OUT_OF_MEMORY");
}

TEST_F(DeviceStreams, CaptureWhatIsTimed) {
  Result<std::unique_ptr<Graph>> graph = capture();
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_TRUE(state->held[Graphs].empty());
  EXPECT_EQ(state->held[Executables].size(), 1u);
  Result<double> time = (*graph)->time(*stream);
  ASSERT_TRUE(time.ok()) << time.status().message();
  EXPECT_EQ(*time, 250); // the stand-in's quarter of a millisecond
  EXPECT_EQ(state->calls[Entry_cuEventRecord].count, 2);
  for (auto [entry, call] :
       {std::pair(Entry_cuEventRecord, "cuEventRecord"),
        std::pair(Entry_cuGraphLaunch, "cuGraphLaunch"),
        std::pair(Entry_cuEventSynchronize, "cuEventSynchronize"),
        std::pair(Entry_cuEventElapsedTime, "cuEventElapsedTime")}) {
    fail(entry);
    EXPECT_REFUSED((*graph)->time(*stream).status(), DeviceError,
                   std::string(call) + "(device=1) failed: CUDA_ERROR_");
  }
}

TEST_F(DeviceStreams, KnowThatTheyAreCaptured) {
  EXPECT_FALSE(isCapturing(device(1), stream->handle()));
  bool captured = false;
  ASSERT_TRUE(Graph::capture(device(1), *stream, [&] {
                captured = isCapturing(device(1), stream->handle());
                return Status();
              }).ok());
  EXPECT_TRUE(captured);
  EXPECT_FALSE(isCapturing(device(1), stream->handle()));
  // A stream that cannot be asked is left alone, too.
  fail(Entry_cuStreamIsCapturing);
  EXPECT_TRUE(isCapturing(device(1), stream->handle()));
}

TEST_F(DeviceStreams, CaptureNothingThatFails) {
  EXPECT_REFUSED(capture({ErrorCode::Internal, "no work"}).status(), Internal,
                 "no work");
  EXPECT_EQ(state->calls[Entry_cuStreamEndCapture].count, 1);
  for (auto [entry, call] :
       {std::pair(Entry_cuEventCreate, "cuEventCreate"),
        std::pair(Entry_cuStreamBeginCapture, "cuStreamBeginCapture"),
        std::pair(Entry_cuStreamEndCapture, "cuStreamEndCapture"),
        std::pair(Entry_cuGraphInstantiateWithFlags,
                  "cuGraphInstantiateWithFlags")}) {
    fail(entry);
    EXPECT_REFUSED(capture().status(), DeviceError,
                   std::string(call) + "(device=1) failed: CUDA_ERROR_");
    for (Holding kind : {Events, Graphs, Executables})
      EXPECT_TRUE(state->held[kind].empty()) << call;
  }
}

} // namespace
