//===- JitKernelTest.cpp - Kernels from files, called on arrays -----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "nibble/JitKernel.h"
#include "../API/Refused.h"
#include "../API/TestLayer.h"
#include "Support/Files.h"
#include "llvm/ADT/ArrayRef.h"
#include <gtest/gtest.h>
#include <thread>

using namespace nibble;
using namespace nibble::test;

namespace {

CompileRequest requestFor(const std::string &file, const std::string &config) {
  CompileRequest request;
  Result<std::string> text =
      readFile(std::string(NIBBLE_TEST_KERNELS) + "/" + file);
  request.text = text.ok() ? *text : "";
  request.textName = file;
  request.config = config;
  return request;
}

TEST(JitKernel, DequantizesALayer) {
  std::mt19937 random(std::random_device{}());
  for (int bits : Codec::widths)
    for (Groups groups : {Groups::InOrder, Groups::Shuffled}) {
      Codec codec{bits};
      int64_t K = 160, N = codec.unitCodes() * 11;
      model::Layer layer = randomLayer(random, bits, 32, K, N, groups, false);
      Result<JitKernel> kernel = JitKernel::create(
          requestFor("dequantize.mlir", "BITS=" + std::to_string(bits) +
                                            " BLOCK_K=32 BLOCK_N=64 T=f16"));
      ASSERT_TRUE(kernel.ok()) << kernel.status().message();
      std::vector<uint16_t> w(K * N);
      Status status = kernel->run(
          {{"qweight", view(layer.qweight, {codec.words(K), N})},
           {"qzeros", view(layer.qzeros, {layer.groups, codec.words(N)})},
           {"scales", TensorView::dense(layer.scales.data(), DType::F16,
                                        {layer.groups, N})},
           {"g_idx", view(layer.gIdx, {K})},
           {"w", TensorView::dense(w.data(), DType::F16, {K, N})}},
          {{"K", K}, {"N", N}, {"G", layer.groups}});
      ASSERT_TRUE(status.ok()) << status.message();
      std::vector<double> column(K);
      for (int64_t n = 0; n < N; ++n) {
        model::weightColumn(layer, n, column);
        // The product of a code and a scale fits a float, so this is exact.
        for (int64_t k = 0; k < K; ++k)
          ASSERT_EQ(w[k * N + n] & (column[k] == 0 ? 0x7fff : 0xffff),
                    floatToHalf(static_cast<float>(column[k])) &
                        (column[k] == 0 ? 0x7fff : 0xffff));
      }
    }
}

TEST(JitKernel, RepacksAlongN) {
  std::mt19937 random(std::random_device{}());
  for (int bits : Codec::widths) {
    Codec codec{bits};
    int64_t K = 5 * codec.unitCodes(), N = 9 * codec.unitCodes();
    std::vector<int32_t> from(codec.words(K) * N), to(K * codec.words(N));
    for (int32_t &word : from)
      word = static_cast<int32_t>(random());
    Result<JitKernel> kernel = JitKernel::create(
        requestFor("repack.mlir",
                   "BITS=" + std::to_string(bits) + " BLOCK_K=32 BLOCK_N=32"));
    ASSERT_TRUE(kernel.ok()) << kernel.status().message();
    ASSERT_TRUE(kernel
                    ->run({{"from", view(from, {codec.words(K), N})},
                           {"to", view(to, {K, codec.words(N)})}},
                          {{"K", K}, {"N", N}})
                    .ok());
    // Bit by bit: bit j of a line is bit j mod 32 of its word j / 32.
    auto bit = [&](const int32_t *line, int64_t stride, int64_t j) {
      return static_cast<uint32_t>(line[j / 32 * stride]) >> (j % 32) & 1;
    };
    for (int64_t k = 0; k < K; ++k)
      for (int64_t n = 0; n < N; ++n)
        for (int i = 0; i < bits; ++i)
          ASSERT_EQ(bit(&to[k * codec.words(N)], 1, bits * n + i),
                    bit(&from[n], N, bits * k + i));
  }
}

TEST(JitKernel, RunNamesWhatIsWrong) {
  Result<JitKernel> kernel = JitKernel::create(requestFor(
      "repack.mlir", "BITS=4 BLOCK_K=32 BLOCK_N=32 N%32 K<=32 from@16"));
  ASSERT_TRUE(kernel.ok()) << kernel.status().message();
  alignas(64) static int32_t from[4 * 64 + 4], to[32 * 8];
  auto run = [&](TensorView f, TensorView t, KernelSizes sizes) {
    return kernel->run({{"from", f}, {"to", t}}, sizes);
  };
  TensorView f = TensorView::dense(from, DType::I32, {4, 64});
  TensorView t = TensorView::dense(to, DType::I32, {32, 8});
  KernelSizes sizes = {{"K", 32}, {"N", 64}};
  EXPECT_TRUE(run(f, t, sizes).ok());
  EXPECT_REFUSED(kernel->run({{"from", f}}, sizes), InvalidArgument,
                 "matrix 'to' is missing");
  EXPECT_REFUSED(kernel->run({{"from", f}, {"to", t}, {"x", t}}, sizes),
                 InvalidArgument, "no matrix 'x'");
  EXPECT_REFUSED(run(f, t, {{"K", 32}}), InvalidArgument,
                 "size 'N' has no value");
  EXPECT_REFUSED(
      run(f, t, {{"K", 32}, {"N", 40}}), InvalidArgument,
      "size 'N' is 40, but the kernel was compiled for multiples of 32");
  EXPECT_REFUSED(run(f, t, {{"K", 40}, {"N", 64}}), InvalidArgument,
                 "size 'K' is 40, but the kernel was compiled for at most 32");
  EXPECT_REFUSED(run(f, t, {{"K", -8}, {"N", 64}}), InvalidArgument,
                 "size 'K' is -8");
  TensorView wrong = f;
  wrong.shape = {5, 64};
  EXPECT_REFUSED(run(wrong, t, sizes), InvalidArgument,
                 "matrix 'from' has extent 5 in dimension 0, expected 4");
  wrong = f;
  wrong.type = DType::F32;
  EXPECT_REFUSED(run(wrong, t, sizes), InvalidArgument, "type f32");
  wrong = f;
  wrong.data = from + 1;
  EXPECT_REFUSED(run(wrong, t, sizes), InvalidArgument,
                 "matrix 'from' is not aligned to the 16 bytes");
  wrong = f;
  wrong.strides = {65, 1};
  EXPECT_REFUSED(run(wrong, t, sizes), InvalidArgument,
                 "matrix 'from' has rows 65 elements apart");
  wrong.strides = {64, 2};
  EXPECT_REFUSED(run(wrong, t, sizes), InvalidArgument,
                 "matrix 'from' has columns 2 elements apart");
  wrong = f;
  wrong.data = nullptr;
  EXPECT_REFUSED(run(wrong, t, sizes), InvalidArgument, "has no memory");
}

TEST(JitKernel, ManyThreadsCompileAKernelOnce) {
  CompileRequest request =
      requestFor("repack.mlir", "BITS=8 BLOCK_K=16 BLOCK_N=16");
  std::vector<const CompiledKernel *> seen(8);
  std::vector<std::thread> threads;
  for (const CompiledKernel *&each : seen)
    threads.emplace_back([&] {
      Result<JitKernel> kernel = JitKernel::create(request);
      each = kernel.ok() ? &kernel->compiled() : nullptr;
    });
  for (std::thread &thread : threads)
    thread.join();
  for (const CompiledKernel *each : seen)
    EXPECT_EQ(each, seen[0]);
  EXPECT_NE(seen[0], nullptr);
}

TEST(JitKernel, FailuresAreNotKept) {
  CompileRequest request = requestFor("repack.mlir", "BITS=5");
  for (int i = 0; i < 2; ++i)
    EXPECT_REFUSED(JitKernel::create(request).status(), CompileError,
                   "parameter 'BITS' is 5");
  request.config = "BITS=4 BLOCK_K=32 BLOCK_N=32";
  request.target = "sm_80";
  EXPECT_REFUSED(JitKernel::create(request).status(), Unsupported,
                 "a kernel for sm_80 cannot run on the host");
}

} // namespace
