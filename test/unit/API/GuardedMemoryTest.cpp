//===- GuardedMemoryTest.cpp - Kernels stay within their matrices ---------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The host's kernels on matrices that end where memory ends, or begin where it
// begins: reading or writing a byte that is not theirs ends the test.
//
//===----------------------------------------------------------------------===//

#include "API/KernelChoice.h"
#include "TestLayer.h"
#include "nibble/JitKernel.h"
#include <cstring>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace nibble;
using namespace nibble::test;

namespace {

/// A copy of some bytes between two pages that may not be touched.
class Guarded {
public:
  Guarded(const void *from, size_t bytes, bool atEnd) {
    auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    size_t inside = (bytes + page - 1) / page * page;
    length = inside + 2 * page;
    base = static_cast<char *>(
        mmap(nullptr, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    EXPECT_NE(base, MAP_FAILED);
    EXPECT_EQ(mprotect(base + page, inside, PROT_READ | PROT_WRITE), 0);
    data = base + page + (atEnd ? inside - bytes : 0);
    if (from)
      std::memcpy(data, from, bytes);
  }
  ~Guarded() { munmap(base, length); }
  Guarded(const Guarded &) = delete;
  Guarded &operator=(const Guarded &) = delete;

  char *data;

private:
  char *base;
  size_t length;
};

TEST(GuardedMemory, KernelsTouchTheirOwnBytesAlone) {
  std::mt19937 random(std::random_device{}());
  auto upTo = [&](int64_t most) {
    return 1 + static_cast<int64_t>(random()) % most;
  };
  for (int bits : Codec::widths)
    for (int i = 0; i < 8; ++i) {
      int64_t unit = Codec{bits}.unitCodes(), K = upTo(20) * unit,
              N = upTo(20) * unit, rows = i % 3 ? upTo(70) : 1;
      Groups groups = i % 2 ? Groups::Shuffled : Groups::InOrder;
      model::Layer layer =
          randomLayer(random, bits, unit * upTo(3), K, N, groups, i % 4 < 2,
                      i % 5 ? DType::F16 : DType::F32);
      ASSERT_TRUE(model::checkLayer(layer).ok());
      DType type = std::array{DType::F16, DType::BF16, DType::F32}[i % 3],
            yType = type == DType::BF16 ? DType::BF16 : DType::F16;
      CompileRequest request = hostRequest(
          layer, {type, bucketOf(rows, /*host=*/true), false}, noOverrides());
      Result<JitKernel> kernel = JitKernel::create(request);
      ASSERT_TRUE(kernel.ok()) << kernel.status().message();
      std::vector<float> bias(N);
      if (!layer.bias.empty())
        bias = layer.bias;
      std::vector<uint16_t> ys[2];
      std::vector<char> xs(rows * K * dtypeSize(type));
      std::normal_distribution<float> normal;
      for (int64_t at = 0; at < rows * K; ++at)
        storeNumber(type, normal(random), xs.data(), at);
      for (bool atEnd : {false, true}) {
        Codec codec{bits};
        auto of = [&](const auto &array) {
          return Guarded(array.data(), array.size() * sizeof(*array.data()),
                         atEnd);
        };
        Guarded x = of(xs), qweight = of(layer.qweight),
                qzeros = of(layer.qzeros), scales = of(layer.scaleBytes()),
                gIdx = of(layer.gIdx), added = of(bias),
                y(nullptr, rows * N * 2, atEnd);
        auto view = [](const Guarded &memory, DType of,
                       std::vector<int64_t> shape) {
          return TensorView::dense(memory.data, of, std::move(shape));
        };
        Status status = kernel->run(
            {{"x", view(x, type, {rows, K})},
             {"qweight", view(qweight, DType::I32, {codec.words(K), N})},
             {"qzeros",
              view(qzeros, DType::I32, {layer.groups, codec.words(N)})},
             {"scales", view(scales, layer.scaleType(), {layer.groups, N})},
             {"g_idx", view(gIdx, DType::I32, {K})},
             {"bias", view(added, DType::F32, {N})},
             {"y", view(y, yType, {rows, N})}},
            {{"M", rows}, {"N", N}, {"K", K}, {"G", layer.groups}});
        ASSERT_TRUE(status.ok()) << status.message();
        ys[atEnd].resize(rows * N);
        std::memcpy(ys[atEnd].data(), y.data, rows * N * 2);
      }
      EXPECT_EQ(ys[0], ys[1]) << request.config;
    }
}

} // namespace
