//===- CMisuseTest.cpp - Calls by C that should not have been made --------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Refused.h"
#include "TestC.h"
#include <barrier>
#include <cstring>
#include <thread>

using namespace nibble;
using namespace nibble::test;

namespace {

/// A layer with x and y that it takes.
struct CMisuse : testing::Test {
  void SetUp() override {
    ASSERT_C(nibble_layer_empty(4, 32, 64, 48, 0, nullptr, layer.out()));
  }
  Status forward() {
    return statusOf(nibble_layer_forward(layer, &x, &y, nullptr, nullptr, 0));
  }
  /// What the function that makes a layer of `options` says.
  Status empty(const nibble_options *options) {
    CLayer made;
    return statusOf(nibble_layer_empty(4, 32, 64, 48, 0, options, made.out()));
  }

  CLayer layer;
  uint16_t xData[64] = {}, yData[48] = {};
  int64_t xShape[1] = {64}, yShape[1] = {48};
  nibble_tensor x = {xData, NIBBLE_F16, 1, xShape, nullptr};
  nibble_tensor y = {yData, NIBBLE_F16, 1, yShape, nullptr};
};

/// A parameter that may not be null is named, whatever the others are.
TEST_F(CMisuse, NullIsRefusedByName) {
  const nibble_layer *part = layer, *noPart = nullptr;
  nibble_layer *made = nullptr;
  nibble_checkpoint *checkpoint = nullptr;
  const char *name = nullptr;
  size_t number = 0;
  nibble_layer_info info = NIBBLE_LAYER_INFO_INIT;
  nibble_dtype type = NIBBLE_F16;
  int64_t rows = 1;
#define EXPECT_NULL(parameter, call)                                           \
  EXPECT_REFUSED(statusOf(call), InvalidArgument, parameter " is NULL")
  EXPECT_NULL("path", nibble_load_kernels(nullptr));
  EXPECT_NULL("path", nibble_save_tuning(nullptr));
  EXPECT_NULL("folder", nibble_checkpoint_open(nullptr, nullptr, &checkpoint));
  EXPECT_NULL("checkpoint", nibble_checkpoint_open("a", nullptr, nullptr));
  EXPECT_NULL("checkpoint", nibble_checkpoint_layer_count(nullptr, &number));
  EXPECT_NULL("checkpoint", nibble_checkpoint_layer_name(nullptr, 0, &name));
  EXPECT_NULL("checkpoint",
              nibble_checkpoint_load(nullptr, "a", nullptr, &made));
  EXPECT_NULL("checkpoint",
              nibble_checkpoint_load_fused(nullptr, &name, 1, nullptr, &made));
  EXPECT_NULL("folder", nibble_layer_load(nullptr, "a", nullptr, &made));
  EXPECT_NULL("name", nibble_layer_load("a", nullptr, nullptr, &made));
  EXPECT_NULL("layer", nibble_layer_load("a", "b", nullptr, nullptr));
  EXPECT_NULL("folder",
              nibble_layer_load_fused(nullptr, &name, 1, nullptr, &made));
  EXPECT_NULL("names",
              nibble_layer_load_fused("a", nullptr, 1, nullptr, &made));
  EXPECT_NULL("names[0]",
              nibble_layer_load_fused("a", &name, 1, nullptr, &made));
  EXPECT_NULL("layer",
              nibble_layer_load_fused("a", &name, 1, nullptr, nullptr));
  auto create = [&](const nibble_tensor *qweight, const nibble_tensor *qzeros,
                    const nibble_tensor *scales, nibble_layer **into) {
    return nibble_layer_create(4, 32, qweight, qzeros, scales, nullptr, nullptr,
                               nullptr, into);
  };
  EXPECT_NULL("qweight", create(nullptr, &x, &x, &made));
  EXPECT_NULL("qzeros", create(&x, nullptr, &x, &made));
  EXPECT_NULL("scales", create(&x, &x, nullptr, &made));
  EXPECT_NULL("layer", create(&x, &x, &x, nullptr));
  EXPECT_NULL("layer", nibble_layer_empty(4, 32, 64, 48, 0, nullptr, nullptr));
  EXPECT_NULL("parts", nibble_layer_fuse(nullptr, 1, nullptr, &made));
  EXPECT_NULL("parts[0]", nibble_layer_fuse(&noPart, 1, nullptr, &made));
  EXPECT_NULL("layer", nibble_layer_fuse(&part, 1, nullptr, nullptr));
  EXPECT_NULL("layer", nibble_layer_shard(nullptr, 0, 1, NIBBLE_SHARD_ROW,
                                          nullptr, &made));
  EXPECT_NULL("part", nibble_layer_shard(layer, 0, 1, NIBBLE_SHARD_ROW, nullptr,
                                         nullptr));
  EXPECT_NULL("layer",
              nibble_layer_pack(nullptr, &x, &x, &x, nullptr, nullptr));
  EXPECT_NULL("weight",
              nibble_layer_pack(layer, nullptr, &x, &x, nullptr, nullptr));
  EXPECT_NULL("scales",
              nibble_layer_pack(layer, &x, nullptr, &x, nullptr, nullptr));
  EXPECT_NULL("zeros",
              nibble_layer_pack(layer, &x, &x, nullptr, nullptr, nullptr));
  EXPECT_NULL("layer", nibble_layer_get_info(nullptr, &info));
  EXPECT_NULL("info", nibble_layer_get_info(layer, nullptr));
  EXPECT_NULL("layer",
              nibble_layer_forward(nullptr, &x, &y, nullptr, nullptr, 0));
  EXPECT_NULL("x",
              nibble_layer_forward(layer, nullptr, &y, nullptr, nullptr, 0));
  EXPECT_NULL("y",
              nibble_layer_forward(layer, &x, nullptr, nullptr, nullptr, 0));
  EXPECT_NULL("layer", nibble_layer_workspace_size(nullptr, 1, &number));
  EXPECT_NULL("bytes", nibble_layer_workspace_size(layer, 1, nullptr));
  EXPECT_NULL("layer", nibble_layer_workspace_size_for(nullptr, &x, &number));
  EXPECT_NULL("x", nibble_layer_workspace_size_for(layer, nullptr, &number));
  EXPECT_NULL("bytes", nibble_layer_workspace_size_for(layer, &x, nullptr));
  EXPECT_NULL("layer", nibble_layer_reserve_workspace(nullptr, 1, nullptr));
  EXPECT_NULL("layer", nibble_layer_prepare(nullptr, NIBBLE_F16, 1, nullptr));
  auto prepareAll = [&](const nibble_layer *of, const nibble_dtype *types,
                        const int64_t *counts) {
    return nibble_layer_prepare_all(of, types, 1, counts, 1, nullptr, nullptr);
  };
  EXPECT_NULL("layer", prepareAll(nullptr, &type, &rows));
  EXPECT_NULL("dtypes", prepareAll(layer, nullptr, &rows));
  EXPECT_NULL("row_counts", prepareAll(layer, &type, nullptr));
  auto tune = [&](nibble_layer *of, const char *const *configs, size_t count) {
    return nibble_layer_tune(of, NIBBLE_F16, 1, configs, count, nullptr,
                             nullptr);
  };
  EXPECT_NULL("layer", tune(nullptr, nullptr, 0));
  EXPECT_NULL("configs", tune(layer, nullptr, 1));
  EXPECT_NULL("configs[0]", tune(layer, &name, 1));
  // As free() does.
  EXPECT_EQ(nibble_layer_destroy(nullptr), NIBBLE_OK);
  EXPECT_EQ(nibble_checkpoint_close(nullptr), NIBBLE_OK);
}

/// Errors of QuantLinear come through, with their code.
TEST_F(CMisuse, WhatQuantLinearRefuses) {
  nibble_checkpoint *checkpoint = nullptr;
  EXPECT_REFUSED(
      statusOf(nibble_checkpoint_open("/nowhere", nullptr, &checkpoint)),
      NotFound, "'/nowhere'");
  EXPECT_REFUSED(statusOf(nibble_load_kernels("/nowhere/k.nbl")), NotFound,
                 "/nowhere/k.nbl");
  EXPECT_NE(nibble_save_tuning("/nowhere/t.nbl"), NIBBLE_OK);
  CLayer made;
  EXPECT_REFUSED(
      statusOf(nibble_layer_empty(5, 32, 64, 48, 0, nullptr, made.out())),
      Unsupported, "bits is 5");
  EXPECT_REFUSED(statusOf(nibble_layer_shard(layer, 2, 2, NIBBLE_SHARD_ROW,
                                             nullptr, made.out())),
                 InvalidArgument, "rank");
  EXPECT_REFUSED(statusOf(nibble_layer_reserve_workspace(layer, -1, nullptr)),
                 InvalidArgument, "the number of rows is -1");
  EXPECT_REFUSED(statusOf(nibble_layer_tune(layer, NIBBLE_F16, 1, nullptr, 0,
                                            nullptr, nullptr)),
                 Unsupported, "CPU");
  const nibble_layer *part = nullptr;
  EXPECT_REFUSED(statusOf(nibble_layer_fuse(&part, 0, nullptr, made.out())),
                 InvalidArgument, "there are no layers to fuse");
  x.dtype = NIBBLE_I32;
  EXPECT_REFUSED(forward(), InvalidArgument, "x has elements of type i32");
  x.dtype = NIBBLE_BF16;
  EXPECT_REFUSED(forward(), InvalidArgument, "y has elements of type f16");
}

/// A pointer to a layer or checkpoint is null after an error; other results are
/// as they were.
TEST_F(CMisuse, ErrorsLeaveNothing) {
  int dummy;
  auto *layerBefore = reinterpret_cast<nibble_layer *>(&dummy);
  auto *checkpoint = reinterpret_cast<nibble_checkpoint *>(&dummy);
  nibble_layer *made = layerBefore;
  EXPECT_NE(nibble_layer_load("/nowhere", "a", nullptr, &made), NIBBLE_OK);
  EXPECT_EQ(made, nullptr);
  made = layerBefore;
  EXPECT_NE(nibble_layer_load(nullptr, "a", nullptr, &made), NIBBLE_OK);
  EXPECT_EQ(made, nullptr);
  EXPECT_NE(nibble_checkpoint_open("/nowhere", nullptr, &checkpoint),
            NIBBLE_OK);
  EXPECT_EQ(checkpoint, nullptr);
  size_t bytes = 77;
  x.rank = -1;
  EXPECT_NE(nibble_layer_workspace_size_for(layer, &x, &bytes), NIBBLE_OK);
  EXPECT_EQ(bytes, 77u);
}

TEST_F(CMisuse, TensorsAreChecked) {
  ASSERT_TRUE(forward().ok());
  for (nibble_dtype type : {-1, 4, INT32_MAX}) {
    x.dtype = type;
    EXPECT_REFUSED(forward(), InvalidArgument,
                   "x->dtype is " + std::to_string(type) + ", expected 0 to 3");
  }
  x.dtype = NIBBLE_F16;
  for (int32_t rank : {-1, 65, INT32_MAX}) {
    y.rank = rank;
    EXPECT_REFUSED(forward(), InvalidArgument,
                   "y->rank is " + std::to_string(rank) + ", expected 0 to 64");
  }
  y.rank = 1;
  y.shape = nullptr;
  EXPECT_REFUSED(forward(), InvalidArgument, "y->shape is NULL");
  y.rank = 0;
  EXPECT_REFUSED(forward(), InvalidArgument, "y has no extents");
}

TEST_F(CMisuse, NumbersOfEnumerationsAreChecked) {
  CLayer made;
  EXPECT_REFUSED(
      statusOf(nibble_layer_shard(layer, 0, 1, 2, nullptr, made.out())),
      InvalidArgument, "axis is 2, expected 0 to 1");
  EXPECT_REFUSED(statusOf(nibble_layer_prepare(layer, 9, 1, nullptr)),
                 InvalidArgument, "dtype is 9, expected 0 to 3");
  EXPECT_REFUSED(
      statusOf(nibble_layer_tune(layer, -3, 1, nullptr, 0, nullptr, nullptr)),
      InvalidArgument, "dtype is -3");
  nibble_dtype types[] = {NIBBLE_F16, 4};
  int64_t rows = 1;
  EXPECT_REFUSED(statusOf(nibble_layer_prepare_all(layer, types, 2, &rows, 1,
                                                   nullptr, nullptr)),
                 InvalidArgument, "dtypes[1] is 4");
  nibble_options options = NIBBLE_OPTIONS_INIT;
  options.tuning = 3;
  EXPECT_REFUSED(empty(&options), InvalidArgument,
                 "options->tuning is 3, expected 0 to 2");
  options.tuning = NIBBLE_TUNING_HEURISTIC;
  options.flags = 5;
  EXPECT_REFUSED(empty(&options), InvalidArgument,
                 "options->flags is 5; there are no flags beyond 3");
  options.flags = 0;
  options.device = "gpu";
  EXPECT_REFUSED(empty(&options), InvalidArgument, "no device 'gpu'");
}

/// Callers made with a later header give and get structs of more members.
TEST_F(CMisuse, StructsMayGrow) {
  nibble_options options = NIBBLE_OPTIONS_INIT;
  for (size_t size : {size_t(0), sizeof(options) - 1, SIZE_MAX}) {
    options.size = size;
    EXPECT_REFUSED(empty(&options), InvalidArgument, "options->size is ");
  }
  struct {
    nibble_options known = NIBBLE_OPTIONS_INIT;
    int64_t later = 0;
  } more;
  more.known.size = sizeof(more);
  EXPECT_TRUE(empty(&more.known).ok());
  more.later = 1;
  EXPECT_REFUSED(empty(&more.known), Unsupported,
                 "options has something in byte " +
                     std::to_string(sizeof(nibble_options)));

  struct {
    nibble_layer_info known = NIBBLE_LAYER_INFO_INIT;
    int64_t later = 7, beyond = 7;
  } info;
  info.known.size = offsetof(decltype(info), beyond);
  ASSERT_C(nibble_layer_get_info(layer, &info.known));
  EXPECT_EQ(info.known.size, offsetof(decltype(info), beyond));
  EXPECT_EQ(info.known.out_features, 48);
  EXPECT_EQ(info.later, 0);
  EXPECT_EQ(info.beyond, 7);
  info.known.size = 8;
  EXPECT_REFUSED(statusOf(nibble_layer_get_info(layer, &info.known)),
                 InvalidArgument, "info->size is 8, expected");
  nibble_kernel kernel = {};
  EXPECT_REFUSED(statusOf(nibble_layer_prepare(layer, NIBBLE_F16, 1, &kernel)),
                 InvalidArgument, "kernel->size is 0, expected");
}

TEST_F(CMisuse, EachThreadHasItsLastError) {
  std::string before = nibble_last_error();
  std::barrier together(2);
  auto fail = [&](int32_t bits) {
    EXPECT_STREQ(nibble_last_error(), "");
    CLayer made;
    EXPECT_EQ(nibble_layer_empty(bits, 32, 64, 48, 0, nullptr, made.out()),
              NIBBLE_UNSUPPORTED);
    together.arrive_and_wait(); // both have failed
    std::string mine = "bits is " + std::to_string(bits);
    EXPECT_NE(std::strstr(nibble_last_error(), mine.c_str()), nullptr)
        << nibble_last_error();
    // What works leaves it.
    EXPECT_TRUE(forward().ok());
    EXPECT_NE(std::strstr(nibble_last_error(), mine.c_str()), nullptr);
  };
  std::thread other(fail, 5);
  std::thread another(fail, 6);
  other.join();
  another.join();
  EXPECT_EQ(nibble_last_error(), before);
}

} // namespace
