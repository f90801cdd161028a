//===- DeviceTest.cpp - QuantLinear on a GPU ------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Skipped where there is no GPU that nibble has code for.
//
//===----------------------------------------------------------------------===//

#include "API/KernelChoice.h"
#include "API/PackedChoice.h"
#include "Driver/Memory.h"
#include "Driver/Stream.h"
#include "Sweep.h"
#include "TestLayer.h"
#include <cmath>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <numeric>
#include <thread>

using namespace nibble;
using namespace nibble::test;

namespace {

class OnDevice : public testing::Test {
protected:
  void SetUp() override {
    Result<driver::Driver *> driver = driver::Driver::get();
    if (!driver.ok())
      GTEST_SKIP() << "no GPU: " << driver.status().message();
    Result<driver::Device *> found = (*driver)->device(0);
    if (!found.ok())
      GTEST_SKIP() << found.status().message();
    device = *found;
  }

  /// A random layer, and x and y in device memory.
  struct Problem {
    model::Layer model;
    QuantLinear layer;
    int64_t rows;
    std::vector<uint16_t> x;
    driver::DeviceBuffer xThere, yThere;
    /// x W + bias, once somebody has asked for it.
    mutable std::vector<double> exact;

    const std::vector<double> &product() const {
      int64_t K = model.inFeatures, N = model.outFeatures;
      if (!exact.empty())
        return exact;
      exact.resize(rows * N);
      std::vector<double> column(K), numbers;
      for (uint16_t each : x)
        numbers.push_back(halfToFloat(each));
      for (int64_t n = 0; n < N; ++n) {
        model::weightColumn(model, n, column);
        for (int64_t m = 0; m < rows; ++m)
          exact[m * N + n] =
              std::inner_product(column.begin(), column.end(), &numbers[m * K],
                                 double(model.bias[n]));
      }
      return exact;
    }

    TensorView xView() const {
      return TensorView::dense(reinterpret_cast<void *>(xThere.address()),
                               DType::F16, {rows, layer.inFeatures()});
    }
    TensorView yView() const {
      return TensorView::dense(reinterpret_cast<void *>(yThere.address()),
                               DType::F16, {rows, layer.outFeatures()});
    }
  };

  Problem problem(int64_t K, int64_t N, int64_t rows, unsigned seed = 1,
                  int bits = 4) {
    std::mt19937 random(seed);
    QuantLinearOptions options;
    options.device = "cuda:0";
    model::Layer model =
        randomLayer(random, bits, 128, K, N, Groups::None, /*bias=*/true);
    Result<QuantLinear> layer =
        QuantLinear::create(arraysOf(model, false), options);
    EXPECT_TRUE(layer.ok()) << layer.status().message();
    std::normal_distribution<float> normal;
    std::vector<uint16_t> x(rows * K);
    for (uint16_t &each : x)
      each = floatToHalf(normal(random));
    auto xThere = driver::DeviceBuffer::copyOf(*device, x.data(), x.size() * 2);
    auto yThere = driver::DeviceBuffer::allocate(*device, rows * N * 2);
    EXPECT_TRUE(xThere.ok() && yThere.ok());
    return {std::move(model),   *layer, rows, std::move(x), std::move(*xThere),
            std::move(*yThere), {}};
  }

  /// `p` with its layer held as `options` say.
  Problem heldAs(QuantLinearOptions options, Problem p) {
    options.device = "cuda:0";
    Result<QuantLinear> layer =
        QuantLinear::create(arraysOf(p.model, false), options);
    EXPECT_TRUE(layer.ok()) << layer.status().message();
    p.layer = *layer;
    return p;
  }

  /// y after everything on `stream`.
  std::vector<uint16_t> result(const Problem &p,
                               driver::CuStream stream = nullptr) {
    std::vector<uint16_t> y(p.rows * p.layer.outFeatures());
    EXPECT_TRUE(driver::copyToHost(*device, y.data(), p.yThere.address(),
                                   y.size() * 2, stream)
                    .ok());
    EXPECT_TRUE(driver::synchronize(*device, stream).ok());
    return y;
  }

  void expectRight(const Problem &p, const std::vector<uint16_t> &y) {
    Error error;
    for (size_t i = 0; i < y.size(); ++i)
      error.add(halfToFloat(y[i]), p.product()[i]);
    EXPECT_LE(error.relative(), 4e-4);
  }

  /// Each of `configs`, with and without overlap, gives what float64 does, and
  /// the
  /// same bits in every run.
  void expectAllRight(Problem &p, const std::vector<KernelConfig> &configs,
                      bool overlaps) {
    EXPECT_GE(configs.size(), 6u);
    size_t ran = 0;
    for (KernelConfig config : configs)
      for (bool overlap : {false, true}) {
        if (overlap && !overlaps)
          continue;
        config.overlap = overlap;
        QuantLinearOptions options;
        options.device = "cuda:0";
        options.config = overrideWords(config);
        SCOPED_TRACE(options.config);
        Result<QuantLinear> layer =
            QuantLinear::create(arraysOf(p.model, false), options);
        ASSERT_TRUE(layer.ok()) << layer.status().message();
        p.layer = *layer;
        Result<const CompiledKernel *> kernel =
            p.layer.prepare(DType::F16, p.rows);
        if (!kernel.ok()) // more registers than there are
          continue;
        EXPECT_EQ((*kernel)->schedule, "mma_packed");
        std::vector<uint16_t> first;
        for (int run = 0; run < 10; ++run) {
          ASSERT_TRUE(p.layer.forward(p.xView(), p.yView()).ok());
          std::vector<uint16_t> y = result(p);
          if (run == 0)
            expectRight(p, first = y);
          ASSERT_EQ(y, first) << "run " << run;
        }
        ++ran;
      }
    EXPECT_GE(ran, configs.size() / 2);
  }

  /// A sample of all pipelines, the first of them among it.
  void pipelinesAreRight(Problem &&p) {
    if (device->properties().computeCapability < 90)
      GTEST_SKIP() << "pipelines need sm_90";
    std::vector<KernelConfig> all = runnable(packedChoices(
                                  p.model, p.rows, device->properties())),
                              some;
    for (size_t i = 0; i < all.size(); i += i < 6 ? 1 : 9)
      some.push_back(all[i]);
    expectAllRight(p, some, /*overlaps=*/true);
  }

  driver::Device *device = nullptr;
};

TEST_F(OnDevice, SweepByMma2) { sweep(2, device, "mma"); }
TEST_F(OnDevice, SweepByMma3) { sweep(3, device, "mma"); }
TEST_F(OnDevice, SweepByMma4) { sweep(4, device, "mma"); }
TEST_F(OnDevice, SweepByMma8) { sweep(8, device, "mma"); }
TEST_F(OnDevice, SweepBySimt2) { sweep(2, device, "simt"); }
TEST_F(OnDevice, SweepBySimt3) { sweep(3, device, "simt"); }
TEST_F(OnDevice, SweepBySimt4) { sweep(4, device, "simt"); }
TEST_F(OnDevice, SweepBySimt8) { sweep(8, device, "simt"); }

TEST_F(OnDevice, FormatsByMma2) { formatSweep(2, device, "mma"); }
TEST_F(OnDevice, FormatsByMma3) { formatSweep(3, device, "mma"); }
TEST_F(OnDevice, FormatsByMma4) { formatSweep(4, device, "mma"); }
TEST_F(OnDevice, FormatsByMma8) { formatSweep(8, device, "mma"); }
TEST_F(OnDevice, FormatsBySimt2) { formatSweep(2, device, "simt"); }
TEST_F(OnDevice, FormatsBySimt3) { formatSweep(3, device, "simt"); }
TEST_F(OnDevice, FormatsBySimt4) { formatSweep(4, device, "simt"); }
TEST_F(OnDevice, FormatsBySimt8) { formatSweep(8, device, "simt"); }

// What nibble chooses: packed weights where they have the order and rows are
// few, else mma, else simt.
TEST_F(OnDevice, SweepByChoice2) { sweep(2, device, "auto"); }
TEST_F(OnDevice, SweepByChoice3) { sweep(3, device, "auto"); }
TEST_F(OnDevice, SweepByChoice4) { sweep(4, device, "auto"); }
TEST_F(OnDevice, SweepByChoice8) { sweep(8, device, "auto"); }
TEST_F(OnDevice, FormatsByChoice2) { formatSweep(2, device, "auto"); }
TEST_F(OnDevice, FormatsByChoice3) { formatSweep(3, device, "auto"); }
TEST_F(OnDevice, FormatsByChoice4) { formatSweep(4, device, "auto"); }
TEST_F(OnDevice, FormatsByChoice8) { formatSweep(8, device, "auto"); }

// For compute-sanitizer, under which the whole sweep takes too long.
TEST_F(OnDevice, ReducedSweepByMma) { sweep(4, device, "mma", true); }
TEST_F(OnDevice, ReducedSweepByChoice) {
  for (int bits : {3, 4})
    sweep(bits, device, "auto", true);
}
TEST_F(OnDevice, ReducedSweepBySimt) { sweep(4, device, "simt", true); }

TEST_F(OnDevice, SameBitsFromRunToRun) {
  for (int64_t rows : {1, 16, 100, 300, 1000}) {
    Problem p = problem(1024, 768, rows);
    std::vector<uint16_t> first;
    for (int run = 0; run < 1000; ++run) {
      ASSERT_TRUE(p.layer.forward(p.xView(), p.yView()).ok());
      std::vector<uint16_t> y = result(p);
      if (run == 0)
        expectRight(p, first = y);
      ASSERT_EQ(y, first) << "run " << run << " of " << rows << " rows";
    }
  }
}

TEST_F(OnDevice, HostMemoryIsCopied) {
  Problem p = problem(512, 256, 5);
  std::vector<uint16_t> y(5 * 256);
  TensorView x = TensorView::dense(p.x.data(), DType::F16, {5, 512});
  TensorView out = TensorView::dense(y.data(), DType::F16, {5, 256});
  Status status = p.layer.forward(x, out);
  EXPECT_EQ(status.code(), ErrorCode::InvalidArgument);
  EXPECT_NE(status.message().find("workspace has 0 bytes"), std::string::npos)
      << status.message();
  ASSERT_TRUE(p.layer.reserveWorkspace(5).ok());
  status = p.layer.forward(x, out);
  ASSERT_TRUE(status.ok()) << status.message();
  expectRight(p, y);
}

TEST_F(OnDevice, TwoStreamsAtOnce) {
  Problem p = problem(2048, 1024, 16), q = problem(2048, 1024, 16, 2);
  q.layer = p.layer; // one layer, two streams
  auto one = driver::Stream::create(*device),
       two = driver::Stream::create(*device);
  ASSERT_TRUE(one.ok() && two.ok());
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(p.layer.forward(p.xView(), p.yView(), (*one)->handle()).ok());
    ASSERT_TRUE(q.layer.forward(q.xView(), q.yView(), (*two)->handle()).ok());
  }
  expectRight(p, result(p, (*one)->handle()));
  q.model = p.model;
  expectRight(q, result(q, (*two)->handle()));
}

TEST_F(OnDevice, CapturedGraphsReplay) {
  Problem p = problem(1024, 512, 3);
  auto stream = driver::Stream::create(*device);
  ASSERT_TRUE(stream.ok());
  // The first call compiles and loads while the stream is captured.
  auto graph = driver::Graph::capture(*device, **stream, [&] {
    return p.layer.forward(p.xView(), p.yView(), (*stream)->handle());
  });
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE((*graph)->time(**stream).ok());
  expectRight(p, result(p, (*stream)->handle()));
}

TEST_F(OnDevice, HostProgramsContextStays) {
  // A context that only the host program knows, which nibble does not use.
  void *library = dlopen("libcuda.so.1", RTLD_NOW);
  ASSERT_NE(library, nullptr);
  auto create = reinterpret_cast<driver::CuResult (*)(
      driver::CuContext *, unsigned, driver::CuDevice)>(
      dlsym(library, "cuCtxCreate_v2"));
  auto destroy = reinterpret_cast<driver::CuResult (*)(driver::CuContext)>(
      dlsym(library, "cuCtxDestroy_v2"));
  ASSERT_TRUE(create && destroy);
  driver::CuContext hosts = nullptr, current = nullptr;
  ASSERT_EQ(create(&hosts, 0, 0), driver::CuSuccess); // and makes it current
  const driver::CudaApi &api = device->api();
  {
    Problem p = problem(256, 256, 2);
    ASSERT_EQ(api.cuCtxGetCurrent(&current), driver::CuSuccess);
    EXPECT_EQ(current, hosts);
    Status status = p.layer.forward(p.xView(), p.yView());
    ASSERT_TRUE(status.ok()) << status.message();
    expectRight(p, result(p));
    ASSERT_EQ(api.cuCtxGetCurrent(&current), driver::CuSuccess);
    EXPECT_EQ(current, hosts);
  }
  ASSERT_EQ(api.cuCtxGetCurrent(&current), driver::CuSuccess);
  EXPECT_EQ(current, hosts);
  destroy(hosts);
}

TEST_F(OnDevice, ManyThreadsShareOneKernel) {
  std::vector<Problem> problems;
  for (unsigned i = 0; i < 8; ++i)
    problems.push_back(problem(1024, 640, 7, i));
  std::vector<std::thread> threads;
  std::vector<const CompiledKernel *> kernels(problems.size());
  std::vector<Status> statuses(problems.size());
  for (size_t i = 0; i < problems.size(); ++i)
    threads.emplace_back([&, i] {
      for (int run = 0; run < 20 && statuses[i].ok(); ++run)
        statuses[i] =
            problems[i].layer.forward(problems[i].xView(), problems[i].yView());
      kernels[i] = *problems[i].layer.prepare(DType::F16, 7);
    });
  for (std::thread &thread : threads)
    thread.join();
  for (size_t i = 0; i < problems.size(); ++i) {
    ASSERT_TRUE(statuses[i].ok()) << statuses[i].message();
    EXPECT_EQ(kernels[i], kernels[0]) << "compiled more than once";
    expectRight(problems[i], result(problems[i]));
  }
}

TEST_F(OnDevice, WeightsInRegistersAreRight) {
  bool hopper = device->properties().computeCapability >= 90;
  for (auto [K, N, rows, bits] :
       {std::tuple(4096, 1792, 1, 4), std::tuple(1664, 912, 13, 4),
        std::tuple(1024, 672, 30, 4), std::tuple(1152, 448, 64, 4),
        std::tuple(1664, 928, 13, 3)}) {
    Problem p = problem(K, N, rows, /*seed=*/1, bits);
    std::vector<KernelConfig> configs;
    for (const KernelConfig &config :
         runnable(registerChoices(p.model, rows, device->properties())))
      for (int splits : {1, 2, 4})
        if (splits == 1 || hopper) {
          configs.push_back(config);
          configs.back().splits = splits;
        }
    expectAllRight(p, configs, hopper);
  }
}

TEST_F(OnDevice, PipelinesOfFewRowsAreRight) {
  for (auto [K, N, rows, bits] :
       {std::tuple(4096, 1792, 1, 4), std::tuple(2048, 1024, 7, 2),
        std::tuple(1664, 912, 13, 4), std::tuple(1664, 928, 13, 3)})
    pipelinesAreRight(problem(K, N, rows, /*seed=*/1, bits));
}

TEST_F(OnDevice, PipelinesOfSomeRowsAreRight) {
  for (auto [K, N, rows, bits] :
       {std::tuple(1024, 672, 30, 4), std::tuple(2048, 1792, 32, 8),
        std::tuple(1280, 448, 64, 3), std::tuple(1152, 448, 64, 4)})
    pipelinesAreRight(problem(K, N, rows, /*seed=*/1, bits));
}

TEST_F(OnDevice, PipelinesOfManyRowsAreRight) {
  for (auto [K, N, rows, bits] :
       {std::tuple(1152, 448, 90, 4), std::tuple(2048, 1024, 300, 4),
        std::tuple(1664, 912, 181, 2), std::tuple(1280, 672, 600, 8)})
    pipelinesAreRight(problem(K, N, rows, /*seed=*/1, bits));
}

/// More rows than a block has.
TEST_F(OnDevice, PackedBlocksOfRowsAreRight) {
  for (const char *words :
       {"packed=1 BLOCK_M=8 BLOCK_N=64 BLOCK_K=512 warps=4 stages=3 prefetch=2",
        "packed=1 BLOCK_M=64 BLOCK_N=128 BLOCK_K=256 warps=8 stages=3 "
        "prefetch=2"}) {
    SCOPED_TRACE(words);
    Problem p = problem(1152, 448, 150);
    QuantLinearOptions options;
    options.device = "cuda:0";
    options.config = words;
    // For a bucket of more rows than the packed order is chosen for.
    Result<QuantLinear> layer =
        QuantLinear::create(arraysOf(p.model, false), options);
    ASSERT_TRUE(layer.ok()) << layer.status().message();
    p.layer = *layer;
    ASSERT_TRUE(p.layer.forward(p.xView(), p.yView()).ok());
    EXPECT_EQ((*p.layer.prepare(DType::F16, 150))->schedule, "mma_packed");
    expectRight(p, result(p));
  }
}

/// A chain of calls, each reading what the one before wrote, while the next is
/// launched early, gives what calls one by one do. The two kernels of an
/// act-order call share a workspace with those of the calls around it.
TEST_F(OnDevice, OverlappingCallsWaitForTheirInput) {
  if (device->properties().computeCapability < 90)
    GTEST_SKIP() << "kernels overlap on sm_90 and later";
  constexpr int64_t K = 2048;
  std::mt19937 random(5);
  std::string ways[] = {
      "packed=1 BLOCK_M=8 BLOCK_N=32 BLOCK_K=1024 warps=8 stages=3 prefetch=2",
      // Stages for four, three, two and one of the teams that fill them.
      "packed=1 BLOCK_M=8 BLOCK_N=32 BLOCK_K=512 warps=8 stages=12 prefetch=0",
      "packed=1 BLOCK_M=16 BLOCK_N=64 BLOCK_K=128 warps=4 stages=6 prefetch=0",
      "packed=1 BLOCK_M=8 BLOCK_N=64 BLOCK_K=256 warps=4 stages=10 prefetch=0",
      "packed=1 BLOCK_M=8 BLOCK_N=64 BLOCK_K=128 warps=4 stages=5 prefetch=0",
      "packed=1 BLOCK_M=32 BLOCK_N=64 BLOCK_K=256 warps=4 stages=8 prefetch=0",
      "packed=1 BLOCK_M=16 BLOCK_N=64 BLOCK_K=512 warps=4 stages=8 prefetch=0 "
      "splits=2",
      "packed=1 BLOCK_M=64 BLOCK_N=64 BLOCK_K=256 warps=8 stages=8 prefetch=0 "
      "wgmma=1"};
  // x after so many calls from one that is 0.5 throughout.
  auto chain = [&](const model::Layer &model, int64_t rows,
                   const std::string &config, int calls, bool oneByOne) {
    QuantLinearOptions options;
    options.device = "cuda:0";
    options.config = config;
    SCOPED_TRACE(config);
    QuantLinear layer =
        *QuantLinear::create(arraysOf(model, model.actOrder), options);
    EXPECT_TRUE(layer.reserveWorkspace(rows).ok());
    std::vector<uint16_t> x(rows * K, floatToHalf(0.5f));
    std::vector<driver::DeviceBuffer> memory;
    memory.push_back(
        *driver::DeviceBuffer::copyOf(*device, x.data(), x.size() * 2));
    memory.push_back(*driver::DeviceBuffer::allocate(*device, x.size() * 2));
    auto view = [&](int which) {
      return TensorView::dense(
          reinterpret_cast<void *>(memory[which].address()), DType::F16,
          {rows, K});
    };
    for (int i = 0; i < calls; ++i) {
      EXPECT_TRUE(layer.forward(view(i % 2), view(1 - i % 2)).ok());
      if (oneByOne)
        EXPECT_TRUE(driver::synchronize(*device, nullptr).ok());
    }
    EXPECT_TRUE(driver::copyToHost(*device, x.data(),
                                   memory[calls % 2].address(), x.size() * 2,
                                   nullptr)
                    .ok());
    EXPECT_TRUE(driver::synchronize(*device, nullptr).ok());
    return x;
  };
  auto size = [](const std::vector<uint16_t> &x) {
    double sum = 0;
    for (uint16_t each : x)
      sum += std::pow(double(halfToFloat(each)), 2);
    return std::sqrt(sum / static_cast<double>(x.size()));
  };
  for (auto [groups, rows] :
       {std::pair(Groups::None, 1), std::pair(Groups::Shuffled, 1),
        std::pair(Groups::Shuffled, 3), std::pair(Groups::Shuffled, 30)}) {
    model::Layer model = randomLayer(random, 4, 128, K, K, groups,
                                     /*bias=*/false);
    // Scales with which a call leaves the size of x about as it was.
    auto scaleBy = [&](double factor) {
      for (uint16_t &scale : model.scales)
        scale = floatToHalf(
            static_cast<float>(double(halfToFloat(scale)) * factor));
    };
    // The first calls make the vector one like those that follow.
    scaleBy(0.1);
    auto after = [&](int calls) {
      return size(chain(model, rows, ways[0] + " overlap=0", calls, true));
    };
    scaleBy(std::pow(after(4) / after(8), 0.25));
    for (const std::string &way : ways) {
      auto alone = chain(model, rows, way + " overlap=0", 40, true);
      EXPECT_EQ(chain(model, rows, way + " overlap=1", 40, false), alone)
          << way;
      EXPECT_GT(size(alone), 0) << way;
      EXPECT_TRUE(std::isfinite(size(alone))) << way;
    }
  }
}

TEST_F(OnDevice, TuningChoosesTheFastest) {
  Problem p = problem(1024, 1024, 16);
  Result<std::vector<Candidate>> own = p.layer.tune(DType::F16, 16);
  ASSERT_TRUE(own.ok()) << own.status().message();
  EXPECT_GE(own->size(), 12u);
  Result<std::vector<Candidate>> lorax =
      p.layer.tune(DType::F16, 16, {"lorax"});
  ASSERT_TRUE(lorax.ok()) << lorax.status().message();
  EXPECT_GE(lorax->size(), 6u); // BLOCK_M cut to 16 makes some equal
  EXPECT_LE(lorax->size(), 8u);
  for (size_t i = 1; i < lorax->size(); ++i)
    EXPECT_LE((*lorax)[i - 1].time.median, (*lorax)[i].time.median);
  EXPECT_EQ((*p.layer.prepare(DType::F16, 16))->config, (*lorax)[0].config);
  ASSERT_TRUE(p.layer.forward(p.xView(), p.yView()).ok());
  expectRight(p, result(p));

  // What does not fit the device loses.
  Result<std::vector<Candidate>> given =
      p.layer.tune(DType::F16, 16,
                   {"BLOCK_M=128 BLOCK_N=256 BLOCK_K=256 warps=8",
                    "BLOCK_M=16 BLOCK_N=64 BLOCK_K=64 warps=4"});
  ASSERT_TRUE(given.ok()) << given.status().message();
  EXPECT_TRUE((*given)[0].status.ok());
  EXPECT_NE((*given)[0].config.find("BLOCK_K=64"), std::string::npos);
}

/// A policy answers every call rightly, and ends at the configuration that was
/// measured to be fastest.
TEST_F(OnDevice, PoliciesEndAtTheFastest) {
  for (TuningPolicy policy : {TuningPolicy::Background, TuningPolicy::Blocking})
    for (int64_t rows : {3, 40, 200}) {
      // Sizes of its own, so that no other test has tuned it.
      int64_t N = 512 + 128 * (policy == TuningPolicy::Blocking);
      QuantLinearOptions options;
      options.tuning = policy;
      Problem p = heldAs(options, problem(1152, N, rows));
      ASSERT_TRUE(p.layer.forward(p.xView(), p.yView()).ok());
      expectRight(p, result(p));
      std::vector<Prepared> seen;
      Status status =
          p.layer.prepareAll({DType::F16}, {rows}, [&](const Prepared &each) {
            seen.push_back(each);
          });
      ASSERT_TRUE(status.ok()) << status.message();
      ASSERT_EQ(seen.size(), 1u);
      ASSERT_FALSE(seen[0].candidates.empty());
      EXPECT_EQ(seen[0].kernel->config, seen[0].candidates[0].config);
      ASSERT_TRUE(p.layer.forward(p.xView(), p.yView()).ok());
      expectRight(p, result(p));
      // Nothing is measured twice.
      Status again =
          p.layer.prepareAll({DType::F16}, {rows}, [&](const Prepared &each) {
            EXPECT_EQ(each.measured, 0u);
          });
      EXPECT_TRUE(again.ok()) << again.message();
    }
}

TEST_F(OnDevice, CapturedCallsAreNotTuned) {
  QuantLinearOptions options;
  options.tuning = TuningPolicy::Blocking;
  Problem p = heldAs(options, problem(1280, 384, 5));
  auto stream = driver::Stream::create(*device);
  ASSERT_TRUE(stream.ok());
  EXPECT_FALSE(driver::isCapturing(*device, (*stream)->handle()));
  auto graph = driver::Graph::capture(*device, **stream, [&] {
    EXPECT_TRUE(driver::isCapturing(*device, (*stream)->handle()));
    return p.layer.forward(p.xView(), p.yView(), (*stream)->handle());
  });
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  ASSERT_TRUE((*graph)->time(**stream).ok());
  expectRight(p, result(p, (*stream)->handle()));
  ASSERT_TRUE(p.layer.forward(p.xView(), p.yView()).ok());
  expectRight(p, result(p));
}

TEST_F(OnDevice, PinnedChoicesStay) {
  QuantLinearOptions options;
  options.pinned = true;
  Problem p = heldAs(options, problem(1024, 896, 16));
  std::string before = (*p.layer.prepare(DType::F16, 16))->config;
  ASSERT_TRUE(p.layer.tune(DType::F16, 16, {"lorax"}).ok());
  EXPECT_EQ((*p.layer.prepare(DType::F16, 16))->config, before);
  ASSERT_TRUE(p.layer.forward(p.xView(), p.yView()).ok());
  expectRight(p, result(p));
}

TEST_F(OnDevice, BatchInvariantRowsHaveTheSameBits) {
  QuantLinearOptions options;
  options.batchInvariant = true;
  Problem all = heldAs(options, problem(2048, 1024, 150));
  ASSERT_TRUE(all.layer.forward(all.xView(), all.yView()).ok());
  std::vector<uint16_t> expected = result(all);
  expectRight(all, expected);
  for (int64_t rows : {1, 2, 7, 33, 64, 65, 149})
    for (int64_t first : {0, 1}) {
      TensorView x = all.xView(), y = all.yView();
      x.data = static_cast<char *>(x.data) + first * 2048 * 2;
      x.shape[0] = y.shape[0] = rows;
      ASSERT_TRUE(all.layer.forward(x, y).ok());
      std::vector<uint16_t> some = result(all);
      EXPECT_TRUE(std::equal(some.begin(), some.begin() + rows * 1024,
                             expected.begin() + first * 1024))
          << rows << " rows from " << first;
    }
  EXPECT_EQ(all.layer.tune(DType::F16, 1).status().code(),
            ErrorCode::Unsupported);
}

TEST_F(OnDevice, MissingDeviceIsNamed) {
  std::mt19937 random(1);
  model::Layer model =
      randomLayer(random, 4, 32, 64, 64, Groups::None, /*bias=*/false);
  QuantLinearOptions options;
  options.device = "cuda:99";
  Result<QuantLinear> layer =
      QuantLinear::create(arraysOf(model, false), options);
  ASSERT_FALSE(layer.ok());
  EXPECT_NE(layer.status().message().find("no CUDA device 99"),
            std::string::npos)
      << layer.status().message();
}

} // namespace
