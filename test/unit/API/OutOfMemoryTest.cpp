//===- OutOfMemoryTest.cpp - Calls whose memory ends ----------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// This program's operator new fails when it is told to: the n-th time, on
// whatever thread, for n = 1, 2, ... until a call needs no more; once, or from
// then on. A call must give OutOfMemory, or do without what it did not get, and
// work again afterwards.
//
//   Calls             all of a layer that may allocate, with kernels compiled
//   OnDevice          the same on a stand-in's device, where
//                     test/lit/Tools/exhausted.test runs this program
//   LoadingCode       kernels from the cache on disk, LLVM's linking included
//   WaitingForCode    the same by several threads
//   CompilingCode     allocations above a size fail, and some at random; not
//                     all, because there are too many, and not at first,
//                     because where memory ends while LLVM initialises itself
//                     it may not come back (nibble/Status.h)
//
//===----------------------------------------------------------------------===//

#include "../Driver/StandIn.h"
#include "../TestFolder.h"
#include "Driver/Driver.h"
#include "Layout/PackedOrder.h"
#include "Model/GptqTensors.h"
#include "TestLayer.h"
#include "nibble/JitKernel.h"
#include <atomic>
#include <cstdlib>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <new>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace nibble;
using namespace nibble::test;

namespace {

/// Which allocations fail.
struct Failing {
  std::atomic<bool> armed = false;
  /// Counted down by each; at 0 it fails.
  std::atomic<int64_t> left = 0;
  /// The later ones fail, too.
  bool rest = false;
  /// Smaller ones count for nothing.
  size_t least = 0;
  std::atomic<int64_t> failed = 0;
  /// The stand-in's own do not count.
  std::atomic<StandInBusyFunction> isInStandIn = nullptr;

  bool next(size_t bytes) {
    if (!armed || bytes < least)
      return false;
    if (StandInBusyFunction isBusy = isInStandIn; isBusy && isBusy())
      return false;
    int64_t before = left--;
    bool fails = before == 0 || (rest && before < 0);
    failed += fails;
    return fails;
  }
};
Failing failing;

void *allocate(size_t bytes, size_t alignment) {
  if (failing.next(bytes))
    throw std::bad_alloc();
  size_t whole = (bytes + alignment - 1) / alignment * alignment;
  if (void *memory = std::aligned_alloc(alignment, whole ? whole : alignment))
    return memory;
  throw std::bad_alloc();
}

} // namespace

// Sanitizers have their own.
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
static constexpr bool isOurs = false;
#else
static constexpr bool isOurs = true;

// The other forms call these.
void *operator new(size_t bytes) {
  return allocate(bytes, alignof(std::max_align_t));
}
void *operator new(size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<size_t>(alignment));
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, size_t) noexcept { std::free(memory); }
void operator delete(void *memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void *memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}
#endif

namespace {

/// What one call came to.
struct Outcome {
  ErrorCode code; // no Status: copying one may take memory
  bool threw;
  /// Allocations that failed.
  int64_t failed;
};

/// Calls `call` while allocation number `number` of at least `least` bytes
/// fails, and with `rest` all after it.
template <typename CallT>
Outcome callWithout(int64_t number, bool rest, size_t least, CallT &call) {
  Outcome outcome = {ErrorCode::Ok, false, 0};
  failing.left = number;
  failing.rest = rest;
  failing.least = least;
  failing.failed = 0;
  failing.armed = true;
  try {
    outcome.code = call();
  } catch (...) {
    outcome.threw = true;
  }
  failing.armed = false;
  outcome.failed = failing.failed;
  return outcome;
}

/// Lets each allocation of `call` fail in turn, and has `check` look before and
/// between whether all is well.
template <typename CallT, typename CheckT>
void failEach(const char *name, CallT call, CheckT check) {
  SCOPED_TRACE(name);
  for (bool rest : {false, true}) {
    int refused = 0;
    // Of the first hundred all, then fewer and fewer.
    for (int64_t number = 0;; number += 1 + number / 100) {
      SCOPED_TRACE("allocation " + std::to_string(number) +
                   (rest ? " and all after it" : ""));
      ASSERT_NO_FATAL_FAILURE(check());
      Outcome outcome = callWithout(number, rest, 0, call);
      ASSERT_FALSE(outcome.threw);
      if (outcome.failed == 0) {
        ASSERT_EQ(outcome.code, ErrorCode::Ok);
        break;
      }
      ASSERT_TRUE(outcome.code == ErrorCode::Ok ||
                  outcome.code == ErrorCode::OutOfMemory)
          << errorCodeName(outcome.code);
      refused += outcome.code == ErrorCode::OutOfMemory;
    }
    EXPECT_GT(refused, 0) << "nothing depends on memory";
  }
}

constexpr int64_t K = 64, N = 48, rows = 3;

/// Calls of a layer on `device`, and what they must come to.
class LayerCalls {
public:
  explicit LayerCalls(const std::string &device) {
    options.device = device;
    std::normal_distribution<float> normal;
    for (uint16_t &each : x)
      each = floatToHalf(normal(random));
    for (float &each : weight)
      each = normal(random);
    model::fitScales(weight, K, N, 4, 32, false, scales, zeros);
    scalesView = dense(scales, K / 32), zerosView = dense(zeros, K / 32);
    model = randomLayer(random, 4, 32, K, N, Groups::Shuffled, true);
    arrays = arraysOf(model, true);
    std::vector<model::OwnedTensor> owned =
        model::gptqTensors("linear", model, model::Format::Gptq);
    std::vector<model::TensorToWrite> tensors;
    for (const model::OwnedTensor &each : owned)
      tensors.push_back(each.view());
    EXPECT_TRUE(
        model::writeSafetensors(folder / "model.safetensors", tensors).ok());
    folder.write("quantize_config.json",
                 R"({"bits": 4, "group_size": 32, "desc_act": true})");
    // Twice, and of all kinds: what is made once is there afterwards.
    Result<QuantLinear> made = QuantLinear::create(arrays, options);
    EXPECT_TRUE(made.ok()) << made.status().message();
    layer = *made;
    twice = {layer, layer};
    empties = *QuantLinear::empty(4, 32, K, N, true, options);
    EXPECT_TRUE(layer.reserveWorkspace(rows).ok());
    for (int i = 0; i < 2; ++i)
      for (auto call : {&LayerCalls::forward, &LayerCalls::measure,
                        &LayerCalls::prepareAll}) {
        EXPECT_EQ((this->*call)(), ErrorCode::Ok);
      }
    expected = y;
  }

  ErrorCode forward() { return layer.forward(xView, yView).code(); }
  ErrorCode measure() {
    return layer.measure(DType::F16, rows).status().code();
  }
  ErrorCode prepareAll() { return layer.prepareAll(types, counts).code(); }
  ErrorCode create() {
    return QuantLinear::create(arrays, options).status().code();
  }
  ErrorCode empty() {
    return QuantLinear::empty(4, 32, K, N, true, options).status().code();
  }
  ErrorCode load() {
    return QuantLinear::load(folder.path(), prefix, options).status().code();
  }
  ErrorCode shard() {
    return layer.shard(1, 2, ShardAxis::Row, options).status().code();
  }
  ErrorCode fuse() { return QuantLinear::fuse(twice, options).status().code(); }
  ErrorCode pack() {
    QuantLinear target = empties;
    return target
        .pack(weightView, scalesView, zerosView, std::nullopt, biasView)
        .code();
  }
  ErrorCode reserve() {
    QuantLinear target = empties;
    // More each time, and for another stream; here it is a name alone.
    return target.reserveWorkspace(++reservedRows, ++stream).code();
  }
  ErrorCode tune() {
    return layer.tune(DType::F16, rows, configs).status().code();
  }

  void testAll() {
    for (auto [name, call] :
         {std::pair("create", &LayerCalls::create),
          std::pair("empty", &LayerCalls::empty),
          std::pair("load", &LayerCalls::load),
          std::pair("shard", &LayerCalls::shard),
          std::pair("fuse", &LayerCalls::fuse),
          std::pair("pack", &LayerCalls::pack),
          std::pair("reserveWorkspace", &LayerCalls::reserve),
          std::pair("measure", &LayerCalls::measure),
          std::pair("prepareAll", &LayerCalls::prepareAll)})
      test(name, call);
    testFirstCalls();
  }
  void test(const char *name, ErrorCode (LayerCalls::*call)()) {
    failEach(
        name, [&, call = call] { return (this->*call)(); }, [&] { check(); });
  }
  /// The first call of a layer, and the second.
  void testFirstCalls() {
    Result<QuantLinear> fresh = layer;
    failEach(
        "forward", [&] { return fresh->forward(xView, yView).code(); },
        [&] {
          check();
          fresh = QuantLinear::create(arrays, options);
          ASSERT_TRUE(fresh.ok());
          ASSERT_TRUE(fresh->reserveWorkspace(rows).ok());
        });
  }
  void check() {
    std::fill(y.begin(), y.end(), 0x7bcd);
    ASSERT_EQ(forward(), ErrorCode::Ok);
    ASSERT_EQ(y, expected);
  }

private:
  static TensorView dense(const std::vector<float> &data, int64_t columns) {
    return TensorView::dense(data.data(), DType::F32, {N, columns});
  }

  std::mt19937 random{std::random_device{}()};
  TestFolder folder;
  QuantLinearOptions options;
  model::Layer model;
  QuantLinear layer, empties;
  /// What calls are passed, made before memory ends.
  std::vector<uint16_t> x = std::vector<uint16_t>(rows * K),
                        y = std::vector<uint16_t>(rows * N), expected;
  std::vector<float> weight = std::vector<float>(N * K), scales, zeros;
  TensorView xView = TensorView::dense(x.data(), DType::F16, {rows, K}),
             yView = TensorView::dense(y.data(), DType::F16, {rows, N}),
             weightView = dense(weight, K), scalesView, zerosView;
  std::optional<TensorView> biasView =
      TensorView::dense(weight.data(), DType::F32, {N});
  QuantLinearArrays arrays;
  std::vector<QuantLinear> twice;
  std::string prefix = "linear";
  std::vector<DType> types = {DType::F16, DType::BF16};
  std::vector<int64_t> counts = {1, rows, 20};
  std::vector<std::string> configs = {"BLOCK_M=16", "lorax"};
  char *stream = nullptr;
  int64_t reservedRows = rows;
};

TEST(OutOfMemory, Calls) { LayerCalls("cpu").testAll(); }

TEST(OutOfMemory, OnDevice) {
  Result<driver::Driver *> driver = driver::Driver::get();
  void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  auto find =
      library ? reinterpret_cast<StandInFunction>(dlsym(library, standInName))
              : nullptr;
  if (!driver.ok() || !find)
    GTEST_SKIP() << "the driver is no stand-in";
  StandIn *state = find();
  failing.isInStandIn =
      reinterpret_cast<StandInBusyFunction>(dlsym(library, standInBusyName));
  {
    LayerCalls calls("cuda:0");
    calls.testAll();
    calls.test("tune", &LayerCalls::tune);
  }
  // Nothing was left there.
  for (Holding kind : {Memory, Links, Streams, Events, Graphs, Executables})
    EXPECT_TRUE(state->held[kind].empty()) << kind;
  EXPECT_EQ(state->misuses, 0) << state->misuse;
}

/// A kernel of its own for each number.
CompileRequest numbered(int number) {
  CompileRequest request;
  request.kernel = "pack_weights";
  request.config =
      "BITS=4 BLOCK_K=" + std::to_string(layout::PackedOrder(4).unitRows()) +
      " BLOCK_N=" + std::to_string(64 * number);
  return request;
}

ErrorCode createNumbered(const CompileRequest &request) {
  return JitKernel::create(request).status().code();
}

/// Another process has compiled what this one loads.
TEST(OutOfMemory, LoadingCode) {
  pid_t child = fork();
  if (child == 0)
    _exit(createNumbered(numbered(1)) == ErrorCode::Ok &&
                  createNumbered(numbered(2)) == ErrorCode::Ok
              ? 0
              : 1);
  int ended = -1;
  ASSERT_EQ(waitpid(child, &ended, 0), child);
  ASSERT_EQ(ended, 0);
  for (bool rest : {false, true}) {
    int refused = 0;
    CompileRequest request = numbered(rest ? 1 : 2);
    for (int64_t n = 0;; ++n) {
      SCOPED_TRACE("allocation " + std::to_string(n));
      auto create = [&] { return createNumbered(request); };
      Outcome outcome = callWithout(n, rest, 0, create);
      ASSERT_FALSE(outcome.threw);
      // Once it is loaded it stays.
      if (outcome.code == ErrorCode::Ok)
        break;
      ASSERT_EQ(outcome.code, ErrorCode::OutOfMemory);
      ++refused;
    }
    EXPECT_GT(refused, 20);
    EXPECT_EQ(JitKernel::create(request)->compiled().origin, "cache");
  }
}

/// Those who wait for a kernel that another thread fails to make.
TEST(OutOfMemory, WaitingForCode) {
  CompileRequest request = numbered(3);
  std::atomic<int> ready = 0, threw = 0, refused = 0;
  std::atomic<bool> armed = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (++ready; !armed;)
        std::this_thread::yield();
      try {
        for (int i = 0; i < 50; ++i)
          refused += createNumbered(request) == ErrorCode::OutOfMemory;
      } catch (...) {
        ++threw;
      }
    });
  while (ready < 4)
    std::this_thread::yield();
  failing.left = 20;
  failing.rest = true;
  failing.least = 0;
  failing.armed = true;
  armed = true;
  for (std::thread &thread : threads)
    thread.join();
  failing.armed = false;
  EXPECT_EQ(threw, 0);
  EXPECT_EQ(refused, 200);
  EXPECT_EQ(createNumbered(request), ErrorCode::Ok);
}

TEST(OutOfMemory, CompilingCode) {
  int number = 4, refused = 0;
  auto compileWithout = [&](int64_t at, bool rest, size_t least) {
    SCOPED_TRACE("allocation " + std::to_string(at) + " of at least " +
                 std::to_string(least) + " bytes" +
                 (rest ? " and all after it" : ""));
    CompileRequest request = numbered(number++);
    auto create = [&] { return createNumbered(request); };
    Outcome outcome = callWithout(at, rest, least, create);
    ASSERT_FALSE(outcome.threw);
    ASSERT_TRUE(outcome.code == ErrorCode::Ok ||
                outcome.code == ErrorCode::OutOfMemory)
        << errorCodeName(outcome.code);
    refused += outcome.code == ErrorCode::OutOfMemory;
    EXPECT_EQ(createNumbered(request), ErrorCode::Ok);
  };
  for (size_t least : {1 << 20, 1 << 16, 1 << 14, 1 << 12})
    compileWithout(0, /*rest=*/true, least);
  EXPECT_GT(refused, 0);
  // A compilation has some hundred thousand allocations.
  std::mt19937 random(std::random_device{}());
  for (bool rest : {false, true, false, true})
    compileWithout(random() % 100000, rest, 0);
}

} // namespace

int main(int argc, char **argv) {
  if (!isOurs)
    return 0;
  // The cache that LoadingCode is about, before anything reads where it is.
  std::string folder = "/tmp/nibble-XXXXXX";
  if (!mkdtemp(folder.data()))
    return 1;
  setenv("NIBBLE_CACHE", "on", 1);
  setenv("NIBBLE_CACHE_DIR", folder.c_str(), 1);
  testing::InitGoogleTest(&argc, argv);
  int result = RUN_ALL_TESTS();
  std::filesystem::remove_all(folder);
  return result;
}
