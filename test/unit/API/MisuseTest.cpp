//===- MisuseTest.cpp - Calls that should not have been made --------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whatever a caller does wrong is a Status that names it, and never the end of
// the process; what looks wrong and is not, works.
//
//===----------------------------------------------------------------------===//

#include "Refused.h"
#include "TestLayer.h"
#include "nibble/JitKernel.h"
#include <cstring>
#include <gtest/gtest.h>
#include <sys/mman.h>

using namespace nibble;
using namespace nibble::test;

namespace {

/// Every public call on a layer that holds nothing.
void expectNothing(QuantLinear &layer) {
  std::vector<uint16_t> x(64), y(64);
  TensorView in = TensorView::dense(x.data(), DType::F16, {1, 64});
  TensorView out = TensorView::dense(y.data(), DType::F16, {1, 64});
  constexpr const char *says = "the layer holds nothing";
  EXPECT_REFUSED(layer.forward(in, out), InvalidArgument, says);
  EXPECT_REFUSED(layer.reserveWorkspace(1), InvalidArgument, says);
  EXPECT_REFUSED(layer.prepare(DType::F16, 1).status(), InvalidArgument, says);
  EXPECT_REFUSED(layer.measure(DType::F16, 1).status(), InvalidArgument, says);
  EXPECT_REFUSED(layer.tune(DType::F16, 1).status(), InvalidArgument, says);
  EXPECT_REFUSED(layer.shard(0, 1, ShardAxis::Row).status(), InvalidArgument,
                 says);
  EXPECT_REFUSED(QuantLinear::fuse({layer}).status(), InvalidArgument, says);
  EXPECT_REFUSED(layer.pack(in, in, in, {}, {}), InvalidArgument, says);
  EXPECT_EQ(layer.workspaceSize(7), 0u);
  EXPECT_EQ(layer.workspaceSize(in), 0u);
  EXPECT_EQ(layer.weight().data, nullptr);
  EXPECT_EQ(layer.weight().shape, (std::vector<int64_t>{0, 0}));
  EXPECT_EQ(layer.bits(), 0);
  EXPECT_EQ(layer.groupSize(), 0);
  EXPECT_EQ(layer.inFeatures(), 0);
  EXPECT_EQ(layer.outFeatures(), 0);
  EXPECT_FALSE(layer.actOrder());
  EXPECT_FALSE(layer.hasBias());
  EXPECT_EQ(layer.device(), "cpu");
  EXPECT_TRUE(layer.inputRows().empty());
}

TEST(Misuse, BeforeLoadAndAfterMove) {
  QuantLinear never;
  expectNothing(never);
  QuantLinear layer = *QuantLinear::empty(4, 32, 64, 48, false);
  QuantLinear other = std::move(layer);
  expectNothing(layer);
  EXPECT_EQ(other.inFeatures(), 64);
  layer = other; // usable again
  EXPECT_EQ(layer.outFeatures(), 48);
}

TEST(Misuse, KernelAfterMove) {
  CompileRequest request;
  request.kernel = "make_dense";
  request.config = "BLOCK_M=1 BLOCK_K=64 X=f16";
  Result<JitKernel> kernel = JitKernel::create(request);
  ASSERT_TRUE(kernel.ok()) << kernel.status().message();
  JitKernel other = std::move(*kernel);
  EXPECT_REFUSED(kernel->run({}, {}), InvalidArgument,
                 "the kernel holds nothing");
  EXPECT_EQ(kernel->compiled().name, "");
  EXPECT_EQ(other.compiled().name, "make_dense");
}

struct Call {
  QuantLinear layer = *QuantLinear::empty(4, 32, 64, 48, false);
  std::vector<uint16_t> x = std::vector<uint16_t>(24 * 64),
                        y = std::vector<uint16_t>(24 * 48);
  Status operator()(const TensorView &in, const TensorView &out,
                    Workspace workspace = {}) const {
    return layer.forward(in, out, nullptr, workspace);
  }
  TensorView in(std::vector<int64_t> strides = {}) {
    return {x.data(), DType::F16, {3, 64}, std::move(strides)};
  }
  TensorView out(std::vector<int64_t> strides = {}) {
    return {y.data(), DType::F16, {3, 48}, std::move(strides)};
  }
};

TEST(Misuse, MemoryThatIsNotThereOrNotAligned) {
  Call call;
  TensorView in = call.in(), out = call.out();
  in.data = nullptr;
  EXPECT_REFUSED(call(in, out), InvalidArgument, "x has no memory");
  in = call.in();
  out.data = nullptr;
  EXPECT_REFUSED(call(in, out), InvalidArgument, "y has no memory");
  out.data = reinterpret_cast<char *>(call.y.data()) + 1;
  EXPECT_REFUSED(call(in, out), InvalidArgument,
                 "y is not aligned to its elements of type f16");
  std::vector<std::max_align_t> scratch(
      call.layer.workspaceSize(3) / sizeof(std::max_align_t) + 1);
  char *odd = reinterpret_cast<char *>(scratch.data()) + 2;
  size_t bytes = call.layer.workspaceSize(3);
  EXPECT_REFUSED(call(call.in({128, 2}), call.out(), {odd, bytes}),
                 InvalidArgument, "the workspace is not aligned to 16 bytes");
  EXPECT_TRUE(
      call(call.in({128, 2}), call.out(), {scratch.data(), bytes}).ok());
  EXPECT_REFUSED(call(call.in({128, 2}), call.out(), {scratch.data(), 8}),
                 InvalidArgument, "the workspace has 8 bytes");
}

TEST(Misuse, ResultsThatOverwriteEachOther) {
  Call call;
  EXPECT_REFUSED(call(call.in(), call.out({0, 1})), InvalidArgument,
                 "y has rows that share memory");
  EXPECT_REFUSED(call(call.in(), call.out({47, 1})), InvalidArgument,
                 "y has rows that share memory");
  EXPECT_TRUE(call(call.in(), call.out({48, 1})).ok());
  EXPECT_TRUE(call(call.in({0, 1}), call.out()).ok()); // one row, three times
  TensorView out = call.out();
  out.data = call.x.data();
  EXPECT_REFUSED(call(call.in(), out), InvalidArgument,
                 "x and y begin at the same address");
  // x and y in one array, side by side.
  std::vector<uint16_t> both(3 * 112);
  EXPECT_TRUE(call({both.data(), DType::F16, {3, 64}, {112, 1}},
                   {both.data() + 64, DType::F16, {3, 48}, {112, 1}})
                  .ok());
}

TEST(Misuse, SizesThatNothingHas) {
  Call call;
  for (int64_t rows : {int64_t(-1), INT64_MIN}) {
    EXPECT_REFUSED(call.layer.reserveWorkspace(rows), InvalidArgument,
                   "the number of rows is " + std::to_string(rows));
    EXPECT_EQ(call.layer.workspaceSize(rows), 0u);
    EXPECT_REFUSED(call.layer.prepare(DType::F16, rows).status(),
                   InvalidArgument, "the number of rows is");
    EXPECT_REFUSED(call.layer.measure(DType::F16, rows).status(),
                   InvalidArgument, "the number of rows is");
  }
  EXPECT_REFUSED(call.layer.prepare(DType::I32, 1).status(), InvalidArgument,
                 "type i32");
  EXPECT_GE(call.layer.workspaceSize(INT64_MAX), size_t(1) << 60);
  TensorView shape{nullptr, DType::F32, {INT64_MAX, 2, 64}, {0, 0, 2}};
  EXPECT_GE(call.layer.workspaceSize(shape), size_t(1) << 60);
  shape.strides = {1};
  EXPECT_EQ(call.layer.workspaceSize(shape), 0u);
  // A broadcast x of more rows than y can have.
  EXPECT_REFUSED(call({call.x.data(), DType::F16, {1ll << 56, 64}, {0, 2}},
                      {call.y.data(), DType::F16, {1ll << 56, 48}, {48, 1}}),
                 InvalidArgument, "strides that reach beyond 63 bits");
  EXPECT_REFUSED(QuantLinear::empty(4, 32, -64, 48, false).status(),
                 InvalidArgument, "infeatures is -64");
  EXPECT_REFUSED(
      QuantLinear::empty(4, 32, int64_t(1) << 40, 48, false).status(),
      InvalidArgument, "infeatures is 1099511627776");
  EXPECT_REFUSED(QuantLinear::empty(-4, 32, 64, 48, false).status(),
                 Unsupported, "bits is -4");
  QuantLinearArrays arrays;
  arrays.groupSize = 32;
  arrays.qweight = {nullptr, DType::I32, {INT64_MAX / 2, 0}, {}};
  arrays.qzeros = arrays.qweight;
  arrays.scales = {nullptr, DType::F16, {0, 0}, {}};
  EXPECT_REFUSED(QuantLinear::create(arrays).status(), InvalidArgument,
                 "qweight has extent 4611686018427387903");
}

#if !__has_feature(address_sanitizer) // which ends a process that asks so much
TEST(Misuse, MemoryThatNoMachineHas) {
  Call call;
  EXPECT_REFUSED(QuantLinear::empty(4, -1, 1 << 30, 1 << 30, false).status(),
                 OutOfMemory, "no host memory");
  EXPECT_REFUSED(call.layer.reserveWorkspace(INT64_MAX), OutOfMemory,
                 "no host memory");
  int32_t word = 0;
  QuantLinearArrays arrays;
  arrays.qweight = {&word, DType::I32, {1 << 30, 1 << 30}, {}};
  EXPECT_REFUSED(QuantLinear::create(arrays).status(), OutOfMemory,
                 "no host memory");
  // Of the last, the bytes do not fit 64 bits.
  for (int64_t rows : {int64_t(1) << 50, int64_t(1) << 56, INT64_MAX})
    EXPECT_REFUSED(call.layer.measure(DType::F16, rows).status(), OutOfMemory,
                   "no host memory");
}
#endif

/// Zero pages that cost nothing until they are written.
struct Pages {
  size_t bytes;
  void *base;
  explicit Pages(size_t bytes)
      : bytes(bytes),
        base(mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {}
  ~Pages() {
    if (base != MAP_FAILED)
      munmap(base, bytes);
  }
};

/// Rows and columns more than 2^31 elements apart: offsets are 64 bits.
TEST(Misuse, ArraysOfMoreThanTwoToThe31) {
  constexpr int64_t K = 64, N = 48, far = (int64_t(1) << 31) + 1024;
  std::mt19937 random(std::random_device{}());
  model::Layer model = randomLayer(random, 4, 32, K, N, Groups::InOrder, false);
  QuantLinear layer = *QuantLinear::create(arraysOf(model, false));
  for (int64_t rows : {3, 20}) {
    Pages xPages(static_cast<size_t>(rows * far) * 2);
    Pages yPages(static_cast<size_t>(rows * far) * 2);
    Pages columns(static_cast<size_t>(K * far) * 2);
    if (xPages.base == MAP_FAILED || yPages.base == MAP_FAILED ||
        columns.base == MAP_FAILED)
      GTEST_SKIP() << "no address space for arrays of this size";
    auto *x = static_cast<uint16_t *>(xPages.base);
    auto *y = static_cast<uint16_t *>(yPages.base);
    auto *c = static_cast<uint16_t *>(columns.base);
    std::vector<uint16_t> near(rows * K), expected(rows * N);
    std::normal_distribution<float> normal;
    for (int64_t m = 0; m < rows; ++m)
      for (int64_t k = 0; k < K; ++k)
        near[m * K + k] = x[m * far + k] = c[k * far + m] =
            floatToHalf(normal(random));
    ASSERT_TRUE(
        layer
            .forward(TensorView::dense(near.data(), DType::F16, {rows, K}),
                     TensorView::dense(expected.data(), DType::F16, {rows, N}))
            .ok());
    ASSERT_TRUE(layer
                    .forward({x, DType::F16, {rows, K}, {far, 1}},
                             {y, DType::F16, {rows, N}, {far, 1}})
                    .ok());
    for (int64_t m = 0; m < rows; ++m)
      EXPECT_EQ(0, std::memcmp(y + m * far, &expected[m * N], N * 2)) << m;
    ASSERT_TRUE(layer.reserveWorkspace(rows).ok());
    std::vector<uint16_t> again(rows * N);
    ASSERT_TRUE(
        layer
            .forward({c, DType::F16, {rows, K}, {1, far}},
                     TensorView::dense(again.data(), DType::F16, {rows, N}))
            .ok());
    EXPECT_EQ(again, expected);
  }
}

} // namespace
