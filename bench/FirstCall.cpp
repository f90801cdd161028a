//===- bench/FirstCall.cpp - How long a new process waits -----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// first-call DEVICE K N M [tune] [act-order] [bits=B]: makes a layer of random
// weights, of 4 bits or B, and calls it twice, all once in a process, and
// prints one line of JSON in milliseconds:
//
//   create   the arrays to a layer on the device
//   kernel   to the kernel, from where it is (`origin`) to its being loaded;
//            with `tune` it is tuned before
//   first    the first call, with x and y in host memory
//   second   the second
//   further  one more kernel, for 16 rows, or, if M is 16, for one
//   many     one more, for M + 64 rows, which tensor cores multiply by wgmma
//
// The device's context is made before the clock starts. An empty
// NIBBLE_CACHE_DIR gives the cold start, the same again the warm one.
//
//===----------------------------------------------------------------------===//

#include "nibble/QuantLinear.h"
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string_view>

using namespace nibble;

static int fail(const Status &status) {
  std::fprintf(stderr, "first-call: %s\n", status.message().c_str());
  return 1;
}

int main(int argc, char **argv) {
  bool tune = false, actOrder = false, known = argc >= 5;
  int bits = 4;
  for (int i = 5; i < argc; ++i) {
    std::string_view word = argv[i];
    if (word == "tune")
      tune = true;
    else if (word == "act-order")
      actOrder = true;
    else if (word.substr(0, 5) == "bits=")
      bits = std::atoi(argv[i] + 5);
    else
      known = false;
  }
  if (!known)
    return std::fprintf(stderr, "usage: first-call DEVICE K N M [tune] "
                                "[act-order] [bits=B]\n"),
           2;
  QuantLinearOptions options;
  options.device = argv[1];
  if (tune)
    options.tuning = TuningPolicy::Blocking;
  int64_t K = std::atoll(argv[2]), N = std::atoll(argv[3]),
          M = std::atoll(argv[4]), groups = K / 128;
  // A layer without a call: it opens the device and compiles nothing.
  Result<QuantLinear> opened =
      QuantLinear::empty(bits, -1, 32, 32, false, options);
  if (!opened.ok())
    return fail(opened.status());

  std::mt19937 random(std::random_device{}());
  auto words = [&](int64_t count) {
    std::vector<int32_t> made(static_cast<size_t>(count));
    for (int32_t &word : made)
      word = static_cast<int32_t>(random());
    return made;
  };
  std::vector<int32_t> qweight = words(K * bits / 32 * N),
                       qzeros = words(groups * N * bits / 32), gIdx;
  // fp16: scales of 2^-7, and x of 1.
  std::vector<uint16_t> scales(static_cast<size_t>(groups * N), 0x2000),
      x(static_cast<size_t>(M * K), 0x3c00), y(static_cast<size_t>(M * N));
  QuantLinearArrays arrays;
  arrays.bits = bits;
  arrays.groupSize = 128;
  arrays.qweight =
      TensorView::dense(qweight.data(), DType::I32, {K * bits / 32, N});
  arrays.qzeros =
      TensorView::dense(qzeros.data(), DType::I32, {groups, N * bits / 32});
  if (actOrder) {
    for (int64_t k = 0; k < K; ++k)
      gIdx.push_back(static_cast<int32_t>(k / 128));
    std::shuffle(gIdx.begin(), gIdx.end(), random);
    arrays.gIdx = TensorView::dense(gIdx.data(), DType::I32, {K});
  }
  arrays.scales = TensorView::dense(scales.data(), DType::F16, {groups, N});

  using Clock = std::chrono::steady_clock;
  Clock::time_point last = Clock::now();
  auto lap = [&] {
    Clock::time_point now = Clock::now();
    std::chrono::duration<double, std::milli> spent = now - last;
    last = now;
    return spent.count();
  };
  Result<QuantLinear> layer = QuantLinear::create(arrays, options);
  if (!layer.ok())
    return fail(layer.status());
  if (Status status = layer->reserveWorkspace(M); !status.ok())
    return fail(status);
  double create = lap();
  if (tune)
    if (Status status = layer->prepareAll({DType::F16}, {M}); !status.ok())
      return fail(status);
  Result<const CompiledKernel *> kernel = layer->prepare(DType::F16, M);
  if (!kernel.ok())
    return fail(kernel.status());
  double load = lap(), calls[2];
  for (double &call : calls) {
    Status status =
        layer->forward(TensorView::dense(x.data(), DType::F16, {M, K}),
                       TensorView::dense(y.data(), DType::F16, {M, N}));
    if (!status.ok())
      return fail(status);
    call = lap();
  }
  double more[2];
  for (int i = 0; i < 2; ++i) {
    int64_t rows = i ? M + 64 : M == 16 ? 1 : 16;
    if (Result<const CompiledKernel *> made = layer->prepare(DType::F16, rows);
        !made.ok())
      return fail(made.status());
    more[i] = lap();
  }
  std::printf("{\"device\": \"%s\", \"K\": %lld, \"N\": %lld, \"M\": %lld, "
              "\"origin\": \"%s\", \"create\": %.3f, \"kernel\": %.3f, "
              "\"first\": %.3f, \"second\": %.3f, \"further\": %.3f, "
              "\"many\": %.3f}\n",
              layer->device().c_str(), static_cast<long long>(K),
              static_cast<long long>(N), static_cast<long long>(M),
              (*kernel)->origin.c_str(), create, load, calls[0], calls[1],
              more[0], more[1]);
  return 0;
}
