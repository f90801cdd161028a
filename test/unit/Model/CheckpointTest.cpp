//===- CheckpointTest.cpp - Layers that contradict themselves -------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Each check of docs/checks.md that concerns a whole layer, by a checkpoint
// that breaks it and nothing else.
//
//===----------------------------------------------------------------------===//

#include "Model/Checkpoint.h"
#include "../TestFolder.h"
#include <cstring>
#include <functional>
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::model;

namespace {

/// A tensor to be written.
struct Tensor {
  std::string dtype;
  std::vector<int64_t> shape;
  std::vector<uint8_t> bytes;

  void resize(const std::string &type, std::vector<int64_t> to) {
    dtype = type;
    shape = std::move(to);
    size_t count = type == "F16" ? 2 : 4;
    for (int64_t extent : shape)
      count *= static_cast<size_t>(extent);
    bytes.resize(count);
  }
  template <typename T> void put(size_t at, T value) {
    std::memcpy(bytes.data() + at * sizeof(T), &value, sizeof(T));
  }
};

/// A sound layer `l`: 4 bits, K = 64, N = 16, groups of 32 rows.
struct Files {
  std::string config = R"({"bits": 4, "group_size": 32})";
  std::map<std::string, Tensor> tensors;
  Files() {
    tensors["l.qweight"].resize("I32", {8, 16});
    tensors["l.qzeros"].resize("I32", {2, 2});
    tensors["l.scales"].resize("F16", {2, 16});
    tensors["l.g_idx"].resize("I32", {64});
    tensors["l.bias"].resize("F16", {16});
    for (size_t k = 32; k < 64; ++k)
      tensors["l.g_idx"].put<int32_t>(k, 1);
  }
  Result<Layer> load() const {
    test::TestFolder folder;
    folder.write("quantize_config.json", config);
    std::vector<TensorToWrite> list;
    for (const auto &[name, tensor] : tensors)
      list.push_back({name, tensor.dtype, tensor.shape, tensor.bytes});
    EXPECT_TRUE(writeSafetensors(folder / "m.safetensors", list).ok());
    Result<model::Checkpoint> checkpoint = model::Checkpoint::open(folder.path());
    if (!checkpoint.ok())
      return checkpoint.status();
    return checkpoint->load("l");
  }
};

TEST(Checkpoint, ReadsASoundLayer) {
  Result<Layer> layer = Files().load();
  ASSERT_TRUE(layer.ok()) << layer.status().message();
  EXPECT_FALSE(layer->actOrder);
  EXPECT_EQ(layer->groups, 2);
}

TEST(Checkpoint, NamesTheTensorThatIsWrong) {
  struct {
    const char *message;
    ErrorCode code;
    std::function<void(Files &)> change;
  } cases[] = {
      {"tensor 'l.qzeros' is missing", ErrorCode::NotFound,
       [](Files &f) { f.tensors.erase("l.qzeros"); }},
      {"tensor 'l.scales' is missing", ErrorCode::NotFound,
       [](Files &f) { f.tensors.erase("l.scales"); }},
      {"there is no layer 'l': tensor 'l.qweight' is missing",
       ErrorCode::NotFound, [](Files &f) { f.tensors.erase("l.qweight"); }},
      // The same bytes under another name of their type.
      {"tensor 'l.qweight' has dtype F32, expected I32", ErrorCode::Unsupported,
       [](Files &f) { f.tensors["l.qweight"].dtype = "F32"; }},
      {"tensor 'l.scales' has dtype I16, expected F16 or BF16 or F32",
       ErrorCode::Unsupported,
       [](Files &f) { f.tensors["l.scales"].dtype = "I16"; }},
      {"tensor 'l.g_idx' has dtype U32, expected I32", ErrorCode::Unsupported,
       [](Files &f) { f.tensors["l.g_idx"].dtype = "U32"; }},
      {"tensor 'l.qweight' has shape [128], expected [K * 4 / 32, N]",
       ErrorCode::InvalidFile,
       [](Files &f) { f.tensors["l.qweight"].shape = {128}; }},
      {"tensor 'l.qzeros' has shape [4], expected [2, 2]",
       ErrorCode::InvalidFile,
       [](Files &f) { f.tensors["l.qzeros"].shape = {4}; }},
      {"tensor 'l.qzeros' has shape [4, 1], expected [2, 2]",
       ErrorCode::InvalidFile,
       [](Files &f) { f.tensors["l.qzeros"].shape = {4, 1}; }},
      {"tensor 'l.scales' has shape [16, 2], expected [2, 16]",
       ErrorCode::InvalidFile,
       [](Files &f) { f.tensors["l.scales"].shape = {16, 2}; }},
      {"tensor 'l.g_idx' has shape [63], expected [64]", ErrorCode::InvalidFile,
       [](Files &f) { f.tensors["l.g_idx"].resize("I32", {63}); }},
      {"tensor 'l.bias' has shape [1, 16], expected [16]",
       ErrorCode::InvalidFile,
       [](Files &f) { f.tensors["l.bias"].shape = {1, 16}; }},
      {"layer 'l': outfeatures is 0", ErrorCode::InvalidFile,
       [](Files &f) { f.tensors["l.qweight"].resize("I32", {8, 0}); }},
      {"tensor 'l.qweight' has more rows than fit 63 bits",
       ErrorCode::InvalidFile,
       [](Files &f) {
         f.tensors["l.qweight"].resize("I32", {0, 0});
         f.tensors["l.qweight"].shape = {INT64_MAX / 4, 0};
       }},
      {"layer 'l': infeatures is 2305843009213693944", ErrorCode::InvalidFile,
       [](Files &f) {
         f.tensors["l.qweight"].resize("I32", {0, 0});
         f.tensors["l.qweight"].shape = {INT64_MAX / 32, 0};
       }},
      {"tensor 'l.qzeros' has shape [2, 2], expected [3, 2]",
       ErrorCode::InvalidFile,
       [](Files &f) { f.config = R"({"bits": 4, "group_size": 24})"; }},
      {"layer 'l': groupsize is -9007199254740992", ErrorCode::InvalidFile,
       [](Files &f) {
         f.config = R"({"bits": 4, "group_size": -9007199254740992})";
       }},
      {"layer 'l': bits is 5; nibble takes 2, 3, 4 and 8",
       ErrorCode::Unsupported,
       [](Files &f) { f.config = R"({"bits": 5, "group_size": 32})"; }},
      {"layer 'l': g_idx[3] is -1; there are 2 groups", ErrorCode::InvalidFile,
       [](Files &f) { f.tensors["l.g_idx"].put<int32_t>(3, -1); }},
      {"layer 'l': g_idx[63] is 2; there are 2 groups", ErrorCode::InvalidFile,
       [](Files &f) { f.tensors["l.g_idx"].put<int32_t>(63, 2); }},
      {"layer 'l': g_idx[0] is 2147483647", ErrorCode::InvalidFile,
       [](Files &f) { f.tensors["l.g_idx"].put<int32_t>(0, INT32_MAX); }},
  };
  for (const auto &each : cases) {
    Files files;
    each.change(files);
    Result<Layer> layer = files.load();
    ASSERT_FALSE(layer.ok()) << each.message;
    EXPECT_EQ(layer.status().code(), each.code) << each.message;
    EXPECT_NE(layer.status().message().find(each.message), std::string::npos)
        << layer.status().message() << "\nexpected " << each.message;
  }
}

TEST(Checkpoint, ScalesMayBeAnything) {
  Files files;
  files.tensors["l.scales"].put<uint16_t>(5, 0x7c00);  // infinity
  files.tensors["l.scales"].put<uint16_t>(17, 0x7e00); // not a number
  Result<Layer> layer = files.load();
  ASSERT_TRUE(layer.ok()) << layer.status().message();
  EXPECT_EQ(layer->scales[5], 0x7c00);
  EXPECT_EQ(layer->scales[17], 0x7e00);
}

} // namespace
