//===- CacheWorker.cpp - A process that shares the cache ------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// cache-worker kernels COUNT: gets COUNT kernels, runs each on random words and
// checks the result. Prints where each kernel came from and the milliseconds
// from asking for it to its first result.
//
// cache-worker times COUNT WRITER: adds COUNT times of configurations that are
// named after WRITER, one after another.
//
// CacheProcessTest starts it.
//
//===----------------------------------------------------------------------===//

#include "Jit/MeasuredTimes.h"
#include "Support/Digest.h"
#include "Support/Files.h"
#include "nibble/JitKernel.h"
#include <chrono>
#include <cstdio>
#include <random>

using namespace nibble;

/// Moves codes from packed along K to packed along N, and checks each.
static Status repack(const JitKernel &kernel, int64_t bits) {
  int64_t P = 32 / bits, K = 5 * P, N = 9 * P;
  std::mt19937 random(std::random_device{}());
  std::vector<int32_t> from(static_cast<size_t>(K / P * N)),
      to(static_cast<size_t>(K * (N / P)));
  for (int32_t &word : from)
    word = static_cast<int32_t>(random());
  Status status = kernel.run(
      {{"from", TensorView::dense(from.data(), DType::I32, {K / P, N})},
       {"to", TensorView::dense(to.data(), DType::I32, {K, N / P})}},
      {{"K", K}, {"N", N}});
  auto code = [&](int32_t word, int64_t i) {
    return static_cast<uint32_t>(word) >> (bits * (i % P)) & ((1u << bits) - 1);
  };
  for (int64_t k = 0; k < K && status.ok(); ++k)
    for (int64_t n = 0; n < N && status.ok(); ++n)
      if (code(to[static_cast<size_t>(k * (N / P) + n / P)], n) !=
          code(from[static_cast<size_t>(k / P * N + n)], k))
        status = Status(ErrorCode::Internal, "a wrong result");
  return status;
}

static int getKernels(int count) {
  Result<std::string> text = readFile(NIBBLE_TEST_KERNELS "/repack.mlir");
  for (int i = 0; text.ok() && i < count; ++i) {
    CompileRequest request;
    request.text = *text;
    int64_t bits = 2 << i % 3;
    request.config = "BITS=" + std::to_string(bits) +
                     " BLOCK_K=32 BLOCK_N=" + std::to_string(32 << i / 3 % 3);
    auto begin = std::chrono::steady_clock::now();
    Result<JitKernel> kernel = JitKernel::create(request);
    Status status = kernel.ok() ? repack(*kernel, bits) : kernel.status();
    if (!status.ok()) {
      std::fprintf(stderr, "cache-worker: %s\n", status.message().c_str());
      return 1;
    }
    std::chrono::duration<double, std::milli> spent =
        std::chrono::steady_clock::now() - begin;
    std::printf("%s %.3f\n", kernel->compiled().origin.c_str(), spent.count());
    std::fflush(stdout);
  }
  return text.ok() ? 0 : 1;
}

static void addOwnTimes(int count, const std::string &writer) {
  TuningKey key = {"test", digestOf({"problem"}), "call", "sm_90a"};
  for (int i = 0; i < count; ++i)
    addTimes(DiskCache::shared(), key,
             {{"WRITER=" + writer + " I=" + std::to_string(i), {1.5, 1, 2}}});
}

int main(int, char **argv) {
  int count = std::atoi(argv[2]);
  if (std::string(argv[1]) == "kernels")
    return getKernels(count);
  addOwnTimes(count, argv[3]);
  return 0;
}
