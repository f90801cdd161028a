//===- CApiTest.cpp - The C ABI does what QuantLinear does ----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Results bit for bit, and every function. CMisuseTest.cpp has the errors, and
// StandInDevicesTest.cpp what needs a device.
//
//===----------------------------------------------------------------------===//

#include "TestC.h"
#include "TestCheckpoint.h"
#include "TestLayer.h"
#include <cstdio>
#include <cstring>
#include <mutex>

using namespace nibble;
using namespace nibble::test;

static_assert(NIBBLE_OK == static_cast<int>(ErrorCode::Ok));
static_assert(NIBBLE_INVALID_ARGUMENT ==
              static_cast<int>(ErrorCode::InvalidArgument));
static_assert(NIBBLE_INVALID_FILE == static_cast<int>(ErrorCode::InvalidFile));
static_assert(NIBBLE_NOT_FOUND == static_cast<int>(ErrorCode::NotFound));
static_assert(NIBBLE_UNSUPPORTED == static_cast<int>(ErrorCode::Unsupported));
static_assert(NIBBLE_IO_ERROR == static_cast<int>(ErrorCode::IoError));
static_assert(NIBBLE_COMPILE_ERROR ==
              static_cast<int>(ErrorCode::CompileError));
static_assert(NIBBLE_DEVICE_ERROR == static_cast<int>(ErrorCode::DeviceError));
static_assert(NIBBLE_OUT_OF_MEMORY == static_cast<int>(ErrorCode::OutOfMemory));
static_assert(NIBBLE_INTERNAL == static_cast<int>(ErrorCode::Internal));
static_assert(NIBBLE_F16 == static_cast<int>(DType::F16));
static_assert(NIBBLE_BF16 == static_cast<int>(DType::BF16));
static_assert(NIBBLE_F32 == static_cast<int>(DType::F32));
static_assert(NIBBLE_I32 == static_cast<int>(DType::I32));
static_assert(NIBBLE_SHARD_COLUMN == static_cast<int>(ShardAxis::Column));
static_assert(NIBBLE_SHARD_ROW == static_cast<int>(ShardAxis::Row));
static_assert(NIBBLE_TUNING_HEURISTIC ==
              static_cast<int>(TuningPolicy::Heuristic));
static_assert(NIBBLE_TUNING_BACKGROUND ==
              static_cast<int>(TuningPolicy::Background));
static_assert(NIBBLE_TUNING_BLOCKING ==
              static_cast<int>(TuningPolicy::Blocking));

namespace {

constexpr int64_t K = 128, N = 64, rows = 5;

/// Random layers with x, on the CPU.
class CApi : public testing::Test {
protected:
  CApi() {
    std::normal_distribution<float> normal;
    for (uint16_t &each : x)
      each = floatToHalf(normal(random));
    options.device = "cpu";
  }

  model::Layer layerOf(int64_t columns, Groups groups, bool bias) {
    return randomLayer(random, 4, 32, K, columns, groups, bias);
  }

  /// y of `layer`, by the C ABI or by QuantLinear, for x with columns `apart`
  /// elements apart.
  std::vector<uint16_t> run(const nibble_layer *layer, int64_t apart = 1) {
    nibble_layer_info info = NIBBLE_LAYER_INFO_INIT;
    EXPECT_EQ(nibble_layer_get_info(layer, &info), NIBBLE_OK);
    std::vector<uint16_t> y(rows * info.out_features, 0xffff);
    TensorView in = xOf(info.in_features, apart),
               out = TensorView::dense(y.data(), DType::F16,
                                       {rows, info.out_features});
    CTensor cIn(in), cOut(out);
    size_t bytes = 0;
    EXPECT_EQ(nibble_layer_workspace_size_for(layer, &cIn, &bytes), NIBBLE_OK);
    EXPECT_EQ(bytes != 0, apart != 1);
    std::vector<std::max_align_t> scratch(bytes / sizeof(std::max_align_t));
    EXPECT_EQ(nibble_layer_forward(layer, &cIn, &cOut, nullptr, scratch.data(),
                                   bytes),
              NIBBLE_OK)
        << nibble_last_error();
    return y;
  }
  std::vector<uint16_t> run(const QuantLinear &layer, int64_t apart = 1) {
    std::vector<uint16_t> y(rows * layer.outFeatures(), 0xffff);
    TensorView in = xOf(layer.inFeatures(), apart);
    std::vector<std::max_align_t> scratch(layer.workspaceSize(in) /
                                          sizeof(std::max_align_t));
    Status status = layer.forward(
        in,
        TensorView::dense(y.data(), DType::F16, {rows, layer.outFeatures()}),
        nullptr, {scratch.data(), layer.workspaceSize(in)});
    EXPECT_TRUE(status.ok()) << status.message();
    return y;
  }
  TensorView xOf(int64_t columns, int64_t apart) {
    return {x.data(), DType::F16, {rows, columns}, {columns * apart, apart}};
  }

  /// `model` by nibble_layer_create().
  void create(const model::Layer &model, CLayer &layer) {
    QuantLinearArrays arrays = arraysOf(model, true);
    CTensor qweight(arrays.qweight), qzeros(arrays.qzeros),
        scales(arrays.scales), gIdx(*arrays.gIdx);
    std::optional<CTensor> bias;
    if (arrays.bias)
      bias.emplace(*arrays.bias);
    ASSERT_C(nibble_layer_create(model.bits, model.groupSize, &qweight, &qzeros,
                                 &scales, &gIdx, bias ? &*bias : nullptr,
                                 &options, layer.out()));
  }

  std::mt19937 random{std::random_device{}()};
  std::vector<uint16_t> x = std::vector<uint16_t>(2 * rows * K);
  nibble_options options = NIBBLE_OPTIONS_INIT;
};

TEST_F(CApi, LoadsOfCheckpoints) {
  TestFolder files;
  writeCheckpoint(files, {{"a.q", layerOf(N, Groups::None, false)},
                          {"a.v", layerOf(24, Groups::None, false)}});
  nibble_checkpoint *checkpoint = nullptr;
  ASSERT_C(nibble_checkpoint_open(files.path().c_str(), nullptr, &checkpoint));
  size_t count = 0;
  ASSERT_C(nibble_checkpoint_layer_count(checkpoint, &count));
  EXPECT_EQ(count, 2u);
  for (auto [i, expected] : {std::pair(0, "a.q"), std::pair(1, "a.v")}) {
    const char *name = nullptr;
    ASSERT_C(nibble_checkpoint_layer_name(checkpoint, i, &name));
    EXPECT_STREQ(name, expected);
  }

  const char *names[] = {"a.q", "a.v"};
  CLayer one, fused, ofFolder, fusedOfFolder;
  ASSERT_C(nibble_checkpoint_load(checkpoint, "a.q", &options, one.out()));
  ASSERT_C(nibble_checkpoint_load_fused(checkpoint, names, 2, &options,
                                        fused.out()));
  ASSERT_C(nibble_checkpoint_close(checkpoint));
  const char *folder = files.path().c_str();
  options.format = "gptq";
  ASSERT_C(nibble_layer_load(folder, "a.q", &options, ofFolder.out()));
  ASSERT_C(
      nibble_layer_load_fused(folder, names, 2, &options, fusedOfFolder.out()));

  // Layers outlive their checkpoint, and its files.
  std::filesystem::remove(files / "m.safetensors");
  writeCheckpoint(files, {{"b", layerOf(N, Groups::None, false)}});
  EXPECT_EQ(run(one), run(ofFolder));
  EXPECT_EQ(run(fused), run(fusedOfFolder));
  EXPECT_EQ(fused.info().out_features, N + 24);
  EXPECT_NE(run(one), std::vector<uint16_t>(rows * N, 0xffff));
}

TEST_F(CApi, LoadsWhatQuantLinearLoads) {
  TestFolder files;
  writeCheckpoint(files, {{"a", layerOf(N, Groups::Shuffled, false)}});
  const char *folder = files.path().c_str();
  // The format is the folder's alone: gptq_v2 has other zero points.
  for (const char *format : {"gptq", "gptq_v2"}) {
    QuantLinearOptions same;
    same.device = "cpu";
    options.format = format;
    same.format = format;
    CLayer layer, open;
    ASSERT_C(nibble_layer_load(folder, "a", &options, layer.out()));
    QuantLinear expected = *QuantLinear::load(files.path(), "a", same);
    EXPECT_EQ(run(layer), run(expected));
    nibble_checkpoint *checkpoint = nullptr;
    ASSERT_C(nibble_checkpoint_open(folder, format, &checkpoint));
    ASSERT_C(nibble_checkpoint_load(checkpoint, "a", nullptr, open.out()));
    ASSERT_C(nibble_checkpoint_close(checkpoint));
    EXPECT_EQ(run(open), run(expected));
  }
}

TEST_F(CApi, CreatesAndRuns) {
  model::Layer model = layerOf(N, Groups::Shuffled, true);
  QuantLinear expected = *QuantLinear::create(arraysOf(model, true));
  CLayer layer;
  create(model, layer);
  for (int64_t apart : {1, 2})
    EXPECT_EQ(run(layer, apart), run(expected, apart));

  nibble_layer_info info = layer.info();
  EXPECT_EQ(info.bits, 4);
  EXPECT_EQ(info.act_order, 1);
  EXPECT_EQ(info.has_bias, 1);
  EXPECT_EQ(info.group_size, 32);
  EXPECT_EQ(info.in_features, K);
  EXPECT_EQ(info.out_features, N);
  EXPECT_STREQ(info.device, "cpu");
  EXPECT_EQ(info.input_rows, nullptr);
  EXPECT_EQ(0, std::memcmp(info.weight, model.qweight.data(), K / 8 * N * 4));
}

TEST_F(CApi, HoldsAWorkspace) {
  CLayer layer;
  create(layerOf(N, Groups::None, false), layer);
  size_t bytes = 0;
  ASSERT_C(nibble_layer_workspace_size(layer, rows, &bytes));
  EXPECT_EQ(bytes, rows * K * 4u);
  std::vector<uint16_t> y(rows * N, 0xffff);
  TensorView in = xOf(K, 2),
             out = TensorView::dense(y.data(), DType::F16, {rows, N});
  CTensor cIn(in), cOut(out);
  EXPECT_EQ(nibble_layer_forward(layer, &cIn, &cOut, nullptr, nullptr, 0),
            NIBBLE_INVALID_ARGUMENT);
  ASSERT_C(nibble_layer_reserve_workspace(layer, rows, nullptr));
  ASSERT_C(nibble_layer_forward(layer, &cIn, &cOut, nullptr, nullptr, 0));
  EXPECT_EQ(y, run(layer, 2));
}

TEST_F(CApi, ShardsAndFuses) {
  model::Layer model = layerOf(N, Groups::Shuffled, true);
  QuantLinear whole = *QuantLinear::create(arraysOf(model, true));
  CLayer layer, row, left, right, both;
  create(model, layer);
  ASSERT_C(
      nibble_layer_shard(layer, 1, 2, NIBBLE_SHARD_ROW, &options, row.out()));
  QuantLinear expected = *whole.shard(1, 2, ShardAxis::Row);
  EXPECT_EQ(run(row), run(expected));
  nibble_layer_info info = row.info();
  ASSERT_EQ(info.in_features, K / 2);
  ASSERT_NE(info.input_rows, nullptr);
  EXPECT_EQ(
      std::vector<int32_t>(info.input_rows, info.input_rows + info.in_features),
      expected.inputRows());

  ASSERT_C(nibble_layer_shard(layer, 0, 2, NIBBLE_SHARD_COLUMN, &options,
                              left.out()));
  ASSERT_C(nibble_layer_shard(layer, 1, 2, NIBBLE_SHARD_COLUMN, &options,
                              right.out()));
  const nibble_layer *parts[] = {left, right};
  ASSERT_C(nibble_layer_fuse(parts, 2, &options, both.out()));
  EXPECT_EQ(run(both), run(whole));
}

TEST_F(CApi, PacksIntoAnEmptyLayer) {
  constexpr int64_t G = K / 32;
  std::normal_distribution<float> normal;
  std::vector<float> w(N * K), s(N * G, 0.1f), z(N * G, 8), b(N);
  std::vector<int32_t> groups(K);
  for (float &each : w)
    each = normal(random) * 0.3f;
  for (float &each : b)
    each = normal(random);
  for (int64_t k = 0; k < K; ++k)
    groups[k] = static_cast<int32_t>(k / 32);
  std::shuffle(groups.begin(), groups.end(), random);
  TensorView weight = TensorView::dense(w.data(), DType::F32, {N, K}),
             scales = TensorView::dense(s.data(), DType::F32, {N, G}),
             zeros = TensorView::dense(z.data(), DType::F32, {N, G}),
             gIdx = TensorView::dense(groups.data(), DType::I32, {K}),
             bias = TensorView::dense(b.data(), DType::F32, {N});
  CTensor cWeight(weight), cScales(scales), cZeros(zeros), cGroups(gIdx),
      cBias(bias);
  for (bool given : {false, true}) { // g_idx and bias
    QuantLinear expected = *QuantLinear::empty(4, 32, K, N, given);
    CLayer layer;
    ASSERT_C(nibble_layer_empty(4, 32, K, N, given, &options, layer.out()));
    EXPECT_EQ(run(layer), std::vector<uint16_t>(rows * N));
    std::optional<TensorView> none;
    ASSERT_TRUE(expected
                    .pack(weight, scales, zeros, given ? gIdx : none,
                          given ? bias : none)
                    .ok());
    ASSERT_C(nibble_layer_pack(layer, &cWeight, &cScales, &cZeros,
                               given ? &cGroups : nullptr,
                               given ? &cBias : nullptr));
    EXPECT_EQ(layer.info().act_order, given);
    EXPECT_EQ(run(layer), run(expected));
  }
}

TEST_F(CApi, PreparesKernels) {
  CLayer layer;
  create(layerOf(N, Groups::None, false), layer);
  ASSERT_C(nibble_layer_prepare(layer, NIBBLE_BF16, 3, nullptr));
  nibble_kernel kernel = NIBBLE_KERNEL_INIT;
  ASSERT_C(nibble_layer_prepare(layer, NIBBLE_BF16, 3, &kernel));
  QuantLinear same = *QuantLinear::empty(4, 32, K, N, false);
  const CompiledKernel *expected = *same.prepare(DType::BF16, 3);
  EXPECT_EQ(kernel.size, sizeof(kernel));
  EXPECT_EQ(kernel.name, expected->name);
  EXPECT_EQ(kernel.target, std::string("host"));
  EXPECT_EQ(kernel.config, expected->config);
  EXPECT_EQ(kernel.schedule, std::string("host"));
  EXPECT_EQ(kernel.origin, expected->origin);

  struct Seen {
    std::mutex mutex;
    std::vector<std::pair<nibble_dtype, int64_t>> calls;
    std::vector<size_t> done;
  } seen;
  nibble_dtype types[] = {NIBBLE_F16, NIBBLE_F32};
  int64_t counts[] = {1, 1, 16};
  auto progress = [](const nibble_prepared *prepared, void *user) {
    auto *into = static_cast<Seen *>(user);
    std::lock_guard lock(into->mutex);
    EXPECT_EQ(prepared->size, sizeof(*prepared));
    EXPECT_EQ(prepared->total, 4u);
    EXPECT_EQ(prepared->measured, 0u);
    EXPECT_EQ(prepared->kernel->schedule, std::string("host"));
    into->calls.push_back({prepared->dtype, prepared->rows});
    into->done.push_back(prepared->done);
  };
  ASSERT_C(
      nibble_layer_prepare_all(layer, types, 2, counts, 3, progress, &seen));
  EXPECT_EQ(seen.done, (std::vector<size_t>{1, 2, 3, 4}));
  std::sort(seen.calls.begin(), seen.calls.end());
  EXPECT_EQ(seen.calls,
            (std::vector<std::pair<nibble_dtype, int64_t>>{{NIBBLE_F16, 1},
                                                           {NIBBLE_F16, 16},
                                                           {NIBBLE_F32, 1},
                                                           {NIBBLE_F32, 16}}));
  ASSERT_C(
      nibble_layer_prepare_all(layer, types, 1, counts, 1, nullptr, nullptr));
}

/// Options reach the layer.
TEST_F(CApi, TakesOptions) {
  options.config = "BLOCK_N=32";
  options.schedule = "host";
  options.tuning = NIBBLE_TUNING_BLOCKING;
  options.flags = NIBBLE_PINNED | NIBBLE_BATCH_INVARIANT;
  CLayer layer;
  ASSERT_C(nibble_layer_empty(4, 32, K, N, 0, &options, layer.out()));
  nibble_kernel one = NIBBLE_KERNEL_INIT, many = NIBBLE_KERNEL_INIT;
  ASSERT_C(nibble_layer_prepare(layer, NIBBLE_F16, 1, &one));
  ASSERT_C(nibble_layer_prepare(layer, NIBBLE_F16, 100, &many));
  EXPECT_NE(std::string(one.config).find("BLOCK_N=32"), std::string::npos)
      << one.config;
  EXPECT_EQ(one.config, many.config); // one kernel, for it is batch invariant
}

TEST_F(CApi, SaysItsVersion) {
  int major = -1, minor = -1, patch = -1;
  EXPECT_EQ(std::sscanf(nibble_version(), "%d.%d.%d", &major, &minor, &patch),
            3);
  EXPECT_GE(patch, 0);
}

} // namespace
