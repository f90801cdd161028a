//===- StandInDevicesTest.cpp - Layers on a stand-in's devices ------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What layers do with the driver, apart from results:
// test/lit/Tools/devices.test runs this with the stand-in that works in the
// place of the process's driver (test/unit/Driver/StandIn.h), where kernels do
// nothing.
//
//===----------------------------------------------------------------------===//

#include "../Driver/StandIn.h"
#include "../TestFolder.h"
#include "Driver/Memory.h"
#include "Driver/Stream.h"
#include "Refused.h"
#include "TestC.h"
#include "TestLayer.h"
#include <chrono>
#include <dlfcn.h>
#include <thread>

using namespace nibble;
using namespace nibble::test;
using driver::CuContext;
using driver::DeviceBuffer;

namespace {

constexpr int64_t K = 128, N = 64, rows = 3;

class StandInDevices : public testing::Test {
protected:
  void SetUp() override {
    Result<driver::Driver *> loaded = driver::Driver::get();
    ASSERT_TRUE(loaded.ok()) << loaded.status().message();
    driver = *loaded;
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    auto find = reinterpret_cast<StandInFunction>(dlsym(library, standInName));
    ASSERT_NE(find, nullptr) << "the driver is no stand-in";
    state = find();
    state->failing = EntryCount;
  }

  void TearDown() override {
    // Kernels stay loaded, and devices open, as long as the process lives.
    for (Holding kind : {Memory, Links, Streams, Events, Graphs, Executables})
      EXPECT_TRUE(state->held[kind].empty()) << kind;
    EXPECT_EQ(state->misuses, 0) << state->misuse;
  }

  Result<QuantLinear> layerOn(const std::string &device, int bits = 4,
                              Groups groups = Groups::None) {
    QuantLinearOptions options;
    options.device = device;
    model::Layer layer = randomLayer(random, bits, 32, K, N, groups,
                                     /*bias=*/true);
    return QuantLinear::create(arraysOf(layer, groups != Groups::None),
                               options);
  }

  const driver::Device &device(int ordinal) {
    return **driver->device(ordinal);
  }

  DeviceBuffer memoryOn(int ordinal) {
    return std::move(*DeviceBuffer::allocate(device(ordinal), rows * K * 2));
  }

  static TensorView view(const DeviceBuffer &buffer, int64_t columns) {
    return TensorView::dense(reinterpret_cast<void *>(buffer.address()),
                             DType::F16, {rows, columns});
  }
  static Status forward(const QuantLinear &layer, const DeviceBuffer &x,
                        const DeviceBuffer &y, Workspace workspace = {}) {
    return layer.forward(view(x, K), view(y, N), nullptr, workspace);
  }

  std::mt19937 random{std::random_device{}()};
  driver::Driver *driver = nullptr;
  StandIn *state = nullptr;
};

TEST_F(StandInDevices, OptionsAreForTheTarget) {
  auto refused = [&](const char *device, const char *schedule,
                     const char *config, const char *message) {
    QuantLinearOptions options;
    options.device = device;
    options.schedule = schedule;
    options.config = config;
    EXPECT_REFUSED(QuantLinear::empty(4, 32, K, N, false, options).status(),
                   InvalidArgument, message);
  };
  refused("cuda:0", "host", "",
          "there is no schedule 'host' for target sm_90a");
  refused("cuda:0", "simt", "packed=1",
          "the configuration 'packed=1' asks for the packed order, which "
          "schedule simt for target sm_90a does not read");
  refused("cuda:1", "auto", "packed=1 prefetch=0",
          "prefetch=0 needs sm_90a or later; the target is sm_8");
}

/// Whatever the device's capability is: of a later one than any target's, it
/// runs code of an earlier.
TEST_F(StandInDevices, LayersStayOnTheirs) {
  for (auto [ordinal, groups] :
       {std::pair(0, Groups::None), std::pair(1, Groups::None),
        std::pair(0, Groups::Shuffled), std::pair(1, Groups::Shuffled)}) {
    std::string name = "cuda:" + std::to_string(ordinal);
    Result<QuantLinear> layer = layerOn(name, /*bits=*/4, groups);
    ASSERT_TRUE(layer.ok()) << layer.status().message();
    ASSERT_TRUE(layer->reserveWorkspace(rows).ok());
    EXPECT_EQ(layer->device(), name);
    DeviceBuffer x = memoryOn(ordinal), y = memoryOn(ordinal);
    EXPECT_GE(state->held[Memory].size(), 5u);
    for (const auto &[address, context] : state->held[Memory])
      EXPECT_EQ(context, device(ordinal).context());
    Status status = forward(*layer, x, y);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(state->calls[Entry_cuLaunchKernelEx].context,
              device(ordinal).context());
    EXPECT_EQ(state->launch.stream, nullptr);

    // Memory of the other device is refused before anything is launched.
    int launches = state->calls[Entry_cuLaunchKernelEx].count;
    DeviceBuffer foreign = memoryOn(1 - ordinal);
    std::string text = "memory of CUDA device " + std::to_string(1 - ordinal) +
                       " is used on device " + std::to_string(ordinal);
    EXPECT_REFUSED(forward(*layer, foreign, y), InvalidArgument, "x: " + text);
    EXPECT_REFUSED(forward(*layer, x, foreign), InvalidArgument, "y: " + text);
    EXPECT_EQ(state->calls[Entry_cuLaunchKernelEx].count, launches);
  }
  Result<QuantLinear> layer = layerOn("auto");
  ASSERT_TRUE(layer.ok()) << layer.status().message();
  EXPECT_EQ(layer->device(), "cuda:0");
}

/// A layer whose calls all read the packed order holds no other, until
/// something else is to run.
TEST_F(StandInDevices, LayersHoldTheOrdersThatAreRead) {
  constexpr size_t packed = 3, checkpoint = 4; // arrays; the bias is in both
  for (int ordinal : {0, 1}) {
    // Of bits of its own: what is tuned here, others find.
    Result<QuantLinear> layer =
        layerOn("cuda:" + std::to_string(ordinal), /*bits=*/8);
    ASSERT_TRUE(layer.ok()) << layer.status().message();
    bool alone = device(ordinal).properties().computeCapability == 90;
    EXPECT_EQ(state->held[Memory].size(), packed + (alone ? 0 : checkpoint));
    ASSERT_TRUE(layer->prepare(DType::F16, rows).ok());
    EXPECT_EQ(state->held[Memory].size(), packed + (alone ? 0 : checkpoint));
    ASSERT_TRUE(layer->tune(DType::F16, rows, {"BLOCK_M=16"}).ok());
    EXPECT_EQ(state->held[Memory].size(), packed + checkpoint);
    // Once.
    ASSERT_TRUE(layer->tune(DType::F16, rows, {"BLOCK_M=32"}).ok());
    EXPECT_EQ(state->held[Memory].size(), packed + checkpoint);
  }
}

TEST_F(StandInDevices, HostMemoryNeedsAWorkspaceThere) {
  Result<QuantLinear> layer = layerOn("cuda:1");
  ASSERT_TRUE(layer.ok());
  std::vector<uint16_t> x(rows * K), y(rows * N);
  auto call = [&] {
    return layer->forward(TensorView::dense(x.data(), DType::F16, {rows, K}),
                          TensorView::dense(y.data(), DType::F16, {rows, N}));
  };
  EXPECT_REFUSED(call(), InvalidArgument, "workspace has 0 bytes");
  // For this x, and for any.
  DeviceBuffer memory = std::move(*DeviceBuffer::allocate(device(1), 4096));
  TensorView xView = TensorView::dense(x.data(), DType::F16, {rows, K}),
             yView = TensorView::dense(y.data(), DType::F16, {rows, N});
  for (state->hostIsPageLocked = false;; state->hostIsPageLocked = true) {
    size_t enough = layer->workspaceSize(xView);
    EXPECT_LT(enough, layer->workspaceSize(rows));
    auto *data = reinterpret_cast<void *>(memory.address());
    Status exact = layer->forward(xView, yView, nullptr, {data, enough});
    EXPECT_TRUE(exact.ok()) << exact.message();
    EXPECT_REFUSED(layer->forward(xView, yView, nullptr, {data, enough - 1}),
                   InvalidArgument,
                   "bytes; x or y is in host memory, is copied to the device "
                   "and needs " +
                       std::to_string(enough));
    if (state->hostIsPageLocked)
      break;
  }
  state->hostIsPageLocked = false;
  ASSERT_TRUE(layer->reserveWorkspace(rows).ok());
  int allocations = state->calls[Entry_cuMemAlloc].count;
  Status status = call();
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(state->calls[Entry_cuMemAlloc].count, allocations);
}

/// Calls of act-order layers are two kernels where the second can start early,
/// with x's columns sorted in the workspace; of a few rows they are one.
TEST_F(StandInDevices, ActOrderSortsXBefore) {
  for (int ordinal : {0, 1}) {
    Result<QuantLinear> layer = layerOn("cuda:" + std::to_string(ordinal),
                                        /*bits=*/4, Groups::Shuffled);
    ASSERT_TRUE(layer.ok() && layer->actOrder()) << layer.status().message();
    DeviceBuffer x = memoryOn(ordinal), y = memoryOn(ordinal),
                 scratch = memoryOn(ordinal);
    Workspace workspace = {reinterpret_cast<void *>(scratch.address()),
                           scratch.bytes()};
    bool sorts = device(ordinal).properties().computeCapability >= 90;
    EXPECT_EQ(layer->workspaceSize(view(x, K)), sorts ? rows * K * 2 : 0u);
    if (sorts) {
      EXPECT_REFUSED(
          forward(*layer, x, y), InvalidArgument,
          "the workspace has 0 bytes; x may be sorted for the layer, "
          "which has act-order, and needs 768");
    }
    TensorView one = TensorView::dense(view(x, K).data, DType::F16, {1, K});
    EXPECT_EQ(layer->workspaceSize(one), sorts ? K * 2 : 0u);
    // All that a call needs is there afterwards.
    constexpr int64_t more = 6;
    auto memoryFor = [&](int64_t columns) {
      return std::move(
          *DeviceBuffer::allocate(device(ordinal), more * columns * 2));
    };
    DeviceBuffer manyX = memoryFor(K), manyY = memoryFor(N),
                 manyWide = memoryFor(2 * K), forMany = memoryFor(K);
    ASSERT_TRUE(layer->prepare(DType::F16, rows).ok());
    ASSERT_TRUE(layer->prepare(DType::F16, more).ok());
    int allocations = state->calls[Entry_cuMemAlloc].count,
        loads = state->calls[Entry_cuModuleLoadDataEx].count,
        launches = state->calls[Entry_cuLaunchKernelEx].count;
    Status status = forward(*layer, x, y, workspace);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(state->calls[Entry_cuLaunchKernelEx].count - launches, 1);
    auto many = [&](DeviceBuffer &memory, int64_t columns) {
      return TensorView::dense(view(memory, columns).data, DType::F16,
                               {more, columns});
    };
    launches = state->calls[Entry_cuLaunchKernelEx].count;
    status = layer->forward(
        many(manyX, K), many(manyY, N), nullptr,
        {reinterpret_cast<void *>(forMany.address()), forMany.bytes()});
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(state->calls[Entry_cuLaunchKernelEx].count - launches,
              sorts ? 2 : 1);
    EXPECT_EQ(state->calls[Entry_cuMemAlloc].count, allocations);
    EXPECT_EQ(state->calls[Entry_cuModuleLoadDataEx].count, loads);
    // Rows of x are held to be sorted where they are aligned and dense.
    auto sharedToSort = [&](int64_t offset, int64_t apart) {
      TensorView from = many(manyWide, K);
      from.data = static_cast<uint16_t *>(from.data) + offset;
      from.strides = {2 * K, apart};
      int launches = state->calls[Entry_cuLaunchKernelEx].count;
      Status status = layer->forward(
          from, many(manyY, N), nullptr,
          {reinterpret_cast<void *>(forMany.address()), forMany.bytes()});
      EXPECT_TRUE(status.ok()) << status.message();
      EXPECT_EQ(state->calls[Entry_cuLaunchKernelEx].count - launches, 2);
      return state->launchBefore.sharedMemBytes;
    };
    if (sorts) {
      EXPECT_EQ(sharedToSort(0, 1), 8192u);
      EXPECT_EQ(sharedToSort(1, 1), 0u);
      EXPECT_EQ(sharedToSort(0, 2), 0u);
    }
    // Columns apart, and x or y of the host's.
    DeviceBuffer wide =
        std::move(*DeviceBuffer::allocate(device(ordinal), 2 * rows * K * 2));
    TensorView apart = view(wide, K);
    apart.strides = {2 * K, 2};
    EXPECT_GE(layer->workspaceSize(apart), size_t(rows * K * 2));
    launches = state->calls[Entry_cuLaunchKernelEx].count;
    status = layer->forward(apart, view(y, N), nullptr, workspace);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(state->calls[Entry_cuLaunchKernelEx].count - launches, 2);
    std::vector<uint16_t> host(rows * K);
    TensorView hosts = TensorView::dense(host.data(), DType::F16, {rows, K});
    ASSERT_TRUE(layer->reserveWorkspace(rows).ok());
    EXPECT_LE(layer->workspaceSize(hosts), layer->workspaceSize(rows));
    status = layer->forward(hosts, view(y, N));
    ASSERT_TRUE(status.ok()) << status.message();
    ASSERT_TRUE(layer->tune(DType::F16, rows).ok());
  }
}

TEST_F(StandInDevices, TheHostsContextStaysCurrent) {
  char host;
  auto context = reinterpret_cast<CuContext>(&host);
  const driver::CudaApi &api = driver->api();
  CuContext current = nullptr;
  api.cuCtxPushCurrent(context);
  auto stays = [&] {
    api.cuCtxGetCurrent(&current);
    return current == context;
  };
  {
    Result<QuantLinear> layer = layerOn("cuda:1", 8);
    EXPECT_TRUE(stays());
    ASSERT_TRUE(layer.ok());
    DeviceBuffer x = memoryOn(1), y = memoryOn(1);
    EXPECT_TRUE(forward(*layer, x, y).ok());
    EXPECT_TRUE(stays());
    state->failing = Entry_cuLaunchKernelEx;
    state->failure = driver::CuErrorInvalidValue;
    EXPECT_REFUSED(forward(*layer, x, y), DeviceError, "cuLaunchKernelEx(");
    EXPECT_TRUE(stays());
  }
  EXPECT_TRUE(stays());
  api.cuCtxPopCurrent(&current);
  api.cuCtxGetCurrent(&current);
  EXPECT_EQ(current, nullptr);
}

/// A layer that cannot be made leaves nothing on the device (TearDown), and the
/// same one can be made when the driver is well again.
TEST_F(StandInDevices, WhatFailsLeavesNothing) {
  for (auto [entry, call] :
       {std::pair(Entry_cuMemAlloc, "cuMemAlloc(bytes="),
        std::pair(Entry_cuMemcpyHtoDAsync, "cuMemcpyHtoDAsync(bytes="),
        std::pair(Entry_cuStreamSynchronize, "cuStreamSynchronize(device=0)"),
        std::pair(Entry_cuLinkCreate, "cuLinkCreate(kernel="),
        std::pair(Entry_cuLinkAddData, "cuLinkAddData(kernel="),
        std::pair(Entry_cuLinkComplete, "cuLinkComplete(kernel="),
        std::pair(Entry_cuModuleLoadDataEx, "cuModuleLoadDataEx(kernel="),
        std::pair(Entry_cuModuleGetFunction, "cuModuleGetFunction(name="),
        std::pair(Entry_cuLaunchKernelEx, "cuLaunchKernelEx(blocks=")}) {
    state->failing = entry;
    state->failure = driver::CuErrorInvalidValue;
    // 2 bits: no other test has loaded the kernel that packs them.
    EXPECT_REFUSED(layerOn("cuda:0", 2).status(), DeviceError, call);
    EXPECT_TRUE(state->held[Memory].empty()) << call;
    EXPECT_TRUE(state->held[Links].empty()) << call;
  }
  state->failing = EntryCount;
  EXPECT_TRUE(layerOn("cuda:0", 2).ok());
  // 2 MiB on a device of 1.
  QuantLinearOptions options;
  options.device = "cuda:0";
  EXPECT_REFUSED(
      QuantLinear::empty(4, 128, 2048, 2048, false, options).status(),
      OutOfMemory,
      "cuMemAlloc(bytes=2097152) failed: CUDA_ERROR_OUT_OF_MEMORY (2)");
}

//===----------------------------------------------------------------------===//
// Tuning
//===----------------------------------------------------------------------===//

class StandInTuning : public StandInDevices {
protected:
  void TearDown() override {
    // Tuning in the background may hold a layer for a moment longer.
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (*device(0).freeBytes() != standInMemory[0] &&
           std::chrono::steady_clock::now() < end)
      std::this_thread::yield();
    StandInDevices::TearDown();
  }

  /// A layer of a size that no other test has, so that nothing is known of it.
  QuantLinear layerBy(TuningPolicy policy, int64_t columns, bool pinned = false,
                      const std::string &config = "") {
    QuantLinearOptions options;
    options.config = config;
    options.device = "cuda:0";
    options.tuning = policy;
    options.pinned = pinned;
    model::Layer layer = randomLayer(random, 4, 32, K, columns, Groups::None,
                                     /*bias=*/true);
    Result<QuantLinear> made =
        QuantLinear::create(arraysOf(layer, false), options);
    EXPECT_TRUE(made.ok()) << made.status().message();
    return *made;
  }

  /// The configuration that calls of three rows run.
  static std::string configOf(const QuantLinear &layer) {
    return (*layer.prepare(DType::F16, rows))->config;
  }

  Status call(const QuantLinear &layer, driver::CuStream stream = nullptr) {
    DeviceBuffer x = memoryOn(0);
    Result<DeviceBuffer> y =
        DeviceBuffer::allocate(device(0), rows * layer.outFeatures() * 2);
    EXPECT_TRUE(y.ok());
    return layer.forward(
        TensorView::dense(reinterpret_cast<void *>(x.address()), DType::F16,
                          {rows, K}),
        TensorView::dense(reinterpret_cast<void *>(y->address()), DType::F16,
                          {rows, layer.outFeatures()}),
        stream);
  }

  int timed() const { return state->calls[Entry_cuGraphLaunch].count; }
};

TEST_F(StandInTuning, BlockingTunesBeforeTheFirstCall) {
  QuantLinear layer = layerBy(TuningPolicy::Blocking, 208);
  int before = timed();
  ASSERT_TRUE(call(layer).ok());
  int after = timed();
  EXPECT_GT(after, before);
  // Nothing is measured twice, by another layer of the kind neither.
  ASSERT_TRUE(call(layer).ok());
  QuantLinear other = layerBy(TuningPolicy::Blocking, 208);
  ASSERT_TRUE(call(other).ok());
  EXPECT_EQ(timed(), after);
  EXPECT_EQ(configOf(other), configOf(layer));
}

/// Of what was tried only what runs stays loaded.
TEST_F(StandInTuning, LosersAreGivenBack) {
  auto loaded = [&] { return state->held[Modules].size(); };
  auto loads = [&] { return state->calls[Entry_cuModuleLoadDataEx].count; };
  {
    QuantLinear layer = layerBy(TuningPolicy::Heuristic, 336);
    ASSERT_TRUE(call(layer).ok());
    std::string untuned = configOf(layer);
    size_t before = loaded();
    int loadsBefore = loads();
    Result<std::vector<Candidate>> tried = layer.tune(DType::F16, rows);
    ASSERT_TRUE(tried.ok()) << tried.status().message();
    EXPECT_GT(loads(), loadsBefore + 5);
    std::string tuned = (*tried)[0].config;
    EXPECT_LE(loaded(), before + (tuned != untuned));
    // What the next call runs is there.
    loadsBefore = loads();
    ASSERT_TRUE(call(layer).ok());
    EXPECT_EQ(configOf(layer), tuned);
    EXPECT_EQ(loads(), loadsBefore);
  }
  for (TuningPolicy policy :
       {TuningPolicy::Blocking, TuningPolicy::Background}) {
    QuantLinear layer =
        layerBy(policy, policy == TuningPolicy::Blocking ? 352 : 368);
    size_t before = loaded();
    ASSERT_TRUE(call(layer).ok());
    ASSERT_TRUE(layer.prepareAll({DType::F16}, {rows}).ok());
    // With Background the first call runs the untuned one.
    EXPECT_LE(loaded(), before + (policy == TuningPolicy::Blocking ? 1 : 2));
  }
  // A layer that was tuned and never ran takes its kernel along.
  size_t before = loaded();
  {
    QuantLinear layer = layerBy(TuningPolicy::Heuristic, 384);
    ASSERT_TRUE(layer.tune(DType::F16, rows, {"BLOCK_M=16 BLOCK_N=32"}).ok());
    EXPECT_EQ(loaded(), before + 1);
  }
  EXPECT_EQ(loaded(), before);
}

/// Where threads cannot be started any more, calls run what there is.
/// test/lit/Tools/exhausted.test preloads what lets them fail, and sees what is
/// said of tuning in the background.
TEST_F(StandInTuning, WithoutThreadsCallsRun) {
  auto threadsStart = [] {
    try {
      std::thread([] {}).join();
      return true;
    } catch (const std::system_error &) {
      return false;
    }
  };
  ASSERT_TRUE(call(layerBy(TuningPolicy::Heuristic, 400)).ok());
  std::vector<QuantLinear> layers;
  for (TuningPolicy policy : {TuningPolicy::Background, TuningPolicy::Blocking})
    layers.push_back(layerBy(policy, 400));
  setenv("SYSTEM_FAULTS", "no-threads", 1);
  if (threadsStart()) {
    unsetenv("SYSTEM_FAULTS");
    GTEST_SKIP() << "libsystem-faults.so is not preloaded";
  }
  for (const QuantLinear &layer : layers) {
    Status status = call(layer);
    EXPECT_TRUE(status.ok()) << status.message();
  }
  EXPECT_REFUSED(layers[0].tune(DType::F16, rows, {"BLOCK_M=16"}).status(),
                 OutOfMemory, "no thread can be started");
  unsetenv("SYSTEM_FAULTS");
  ASSERT_TRUE(layers[0].prepareAll({DType::F16}, {rows}).ok());
}

TEST_F(StandInTuning, HeuristicMeasuresNothing) {
  int before = timed();
  ASSERT_TRUE(call(layerBy(TuningPolicy::Heuristic, 224)).ok());
  EXPECT_EQ(timed(), before);
}

TEST_F(StandInTuning, BackgroundTunesWhileCallsRun) {
  QuantLinear layer = layerBy(TuningPolicy::Background, 240);
  int before = timed();
  ASSERT_TRUE(call(layer).ok());
  // Waits for the search under way, if it is, and does not repeat it.
  std::vector<Prepared> seen;
  Status status =
      layer.prepareAll({DType::F16}, {rows},
                       [&](const Prepared &each) { seen.push_back(each); });
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_GT(timed(), before);
  ASSERT_EQ(seen.size(), 1u);
  ASSERT_GT(seen[0].candidates.size(), 1u);
  EXPECT_EQ(configOf(layer), seen[0].candidates[0].config);
}

TEST_F(StandInTuning, CapturedCallsAreNotTuned) {
  auto stream = driver::Stream::create(device(0));
  ASSERT_TRUE(stream.ok());
  for (TuningPolicy policy :
       {TuningPolicy::Background, TuningPolicy::Blocking}) {
    QuantLinear layer =
        layerBy(policy, policy == TuningPolicy::Blocking ? 256 : 272);
    int before = timed();
    auto graph = driver::Graph::capture(
        device(0), **stream, [&] { return call(layer, (*stream)->handle()); });
    ASSERT_TRUE(graph.ok()) << graph.status().message();
    EXPECT_EQ(timed(), before);
    EXPECT_TRUE(call(layer).ok());
    EXPECT_TRUE(layer.prepareAll({DType::F16}, {rows}).ok());
    EXPECT_GT(timed(), before);
  }
}

TEST_F(StandInTuning, PinnedChoicesStay) {
  QuantLinear layer = layerBy(TuningPolicy::Background, 288, /*pinned=*/true);
  int before = timed();
  ASSERT_TRUE(call(layer).ok());
  EXPECT_EQ(timed(), before);
  std::string first = configOf(layer);
  Result<std::vector<Candidate>> tried =
      layer.tune(DType::F16, rows, {"lorax"});
  ASSERT_TRUE(tried.ok()) << tried.status().message();
  EXPECT_NE((*tried)[0].config, first);
  EXPECT_EQ(configOf(layer), first);
  // Others take what was found.
  EXPECT_EQ(configOf(layerBy(TuningPolicy::Heuristic, 288)),
            (*tried)[0].config);
}

TEST_F(StandInTuning, GivenConfigurationsStay) {
  ASSERT_TRUE(call(layerBy(TuningPolicy::Blocking, 320)).ok());
  int before = timed();
  // This word alone says nothing of blocks.
  QuantLinear layer = layerBy(TuningPolicy::Blocking, 320, /*pinned=*/false,
                              "packed=1 overlap=1");
  ASSERT_TRUE(call(layer).ok());
  EXPECT_EQ(timed(), before);
  EXPECT_NE(configOf(layer).find("overlap=1"), std::string::npos)
      << configOf(layer);
}

/// What C is told of tuning, and what it keeps.
TEST_F(StandInTuning, ByTheCAbi) {
  nibble_options options = NIBBLE_OPTIONS_INIT;
  options.device = "cuda:0";
  CLayer layer, tuning;
  ASSERT_C(nibble_layer_empty(4, 32, K, 352, 0, &options, layer.out()));
  EXPECT_STREQ(layer.info().device, "cuda:0");
  std::vector<std::string> configs;
  auto tried = [](const nibble_candidate *candidate, void *user) {
    EXPECT_EQ(candidate->size, sizeof(*candidate));
    EXPECT_EQ(candidate->status, NIBBLE_OK) << candidate->error;
    EXPECT_STREQ(candidate->error, "");
    EXPECT_LE(candidate->p10, candidate->median);
    EXPECT_LE(candidate->median, candidate->p90);
    static_cast<std::vector<std::string> *>(user)->push_back(candidate->config);
  };
  const char *given[] = {"BLOCK_M=16", "BLOCK_M=32"};
  ASSERT_C(
      nibble_layer_tune(layer, NIBBLE_F16, rows, given, 2, tried, &configs));
  EXPECT_EQ(configs.size(), 2u);
  nibble_kernel kernel = NIBBLE_KERNEL_INIT;
  ASSERT_C(nibble_layer_prepare(layer, NIBBLE_F16, rows, &kernel));
  EXPECT_EQ(kernel.config, configs.at(0));

  options.tuning = NIBBLE_TUNING_BLOCKING;
  ASSERT_C(nibble_layer_empty(4, 32, K, 352, 0, &options, tuning.out()));
  size_t measured = 0;
  auto progress = [](const nibble_prepared *prepared, void *user) {
    *static_cast<size_t *>(user) += prepared->measured;
  };
  nibble_dtype type = NIBBLE_F16;
  int64_t other = 40;
  ASSERT_C(nibble_layer_prepare_all(tuning, &type, 1, &other, 1, progress,
                                    &measured));
  EXPECT_GT(measured, 0u);
  TestFolder folder;
  std::string path = folder / "tuned.nbl";
  ASSERT_C(nibble_save_tuning(path.c_str()));
  ASSERT_C(nibble_load_kernels(path.c_str()));
}

TEST_F(StandInTuning, FailuresLeaveTheUntunedChoice) {
  QuantLinear layer = layerBy(TuningPolicy::Blocking, 304);
  state->failing = Entry_cuStreamCreate;
  state->failure = driver::CuErrorOutOfMemory;
  EXPECT_TRUE(call(layer).ok());
  EXPECT_FALSE(layer.prepareAll({DType::F16}, {rows}).ok());
  state->failing = EntryCount;
  EXPECT_TRUE(layer.prepareAll({DType::F16}, {rows}).ok());
  // Arrays that the host has no memory for.
  int64_t most = int64_t(1) << 60;
  EXPECT_REFUSED(layer.measure(DType::F16, most).status(), OutOfMemory,
                 "no host memory");
  EXPECT_REFUSED(layer.tune(DType::F16, most, {"BLOCK_M=16"}).status(),
                 OutOfMemory, "no host memory");
}

} // namespace
