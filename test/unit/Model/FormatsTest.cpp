//===- FormatsTest.cpp - Layers of each format ----------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is written right is read right by test/lit/Model/fixtures.test, against
// Python; here are the layouts in small, and what is wrong.
//
//===----------------------------------------------------------------------===//

#include "Model/Checkpoint.h"
#include "Model/Pack.h"
#include "TestTensors.h"
#include <random>

using namespace nibble;
using namespace nibble::model;
using namespace nibble::test;

namespace {

/// A checkpoint of one layer, "l", that a test may spoil.
struct Spoilt {
  Tensors tensors;
  std::string settings;

  Result<Layer> load(const std::string &name = "l",
                     std::optional<Format> format = {}) const {
    TestFolder folder;
    folder.write("quantize_config.json", settings);
    tensors.write(folder);
    Result<model::Checkpoint> checkpoint = model::Checkpoint::open(folder.path(), format);
    if (!checkpoint.ok())
      return checkpoint.status();
    return checkpoint->load(name);
  }
  OwnedTensor &operator[](const std::string &part) {
    return tensors.byName.at("l." + part);
  }
  void erase(const std::string &part) { tensors.byName.erase("l." + part); }
};

std::vector<int32_t> randomWords(int64_t count) {
  static std::mt19937 random(std::random_device{}());
  std::vector<int32_t> words(count);
  for (int32_t &word : words)
    word = static_cast<int32_t>(random());
  return words;
}

/// 4 bits, K = 24 in groups of 16 and 8, N = 8.
Spoilt gptq() {
  Layer layer = *emptyLayer(4, 16, 24, 8, true);
  llvm::copy(randomWords(3 * 8), layer.qweight.begin());
  layer.qzeros = randomWords(2);
  Spoilt result;
  result.tensors.add(gptqTensors("l", layer, Format::Gptq));
  result.settings = R"({"bits": 4, "group_size": 16})";
  return result;
}

/// Large enough to be packed by several threads, in uneven parts.
constexpr int64_t largeK = 2056, largeN = 8200, largeGroups = 129;

Spoilt awq() {
  Spoilt result;
  result.tensors.set("l.qweight", "I32", {24, 1}, randomWords(24));
  result.tensors.set("l.qzeros", "I32", {2, 1}, randomWords(2));
  result.tensors.set("l.scales", "F32", {2, 8}, std::vector<float>(16, 0.1f));
  result.settings = R"({"quant_method": "awq", "bits": 4, "group_size": 16})";
  return result;
}

/// `weights` is what the settings say of them, besides 4 bits.
Spoilt compressed(const std::string &weights) {
  Spoilt result;
  result.tensors.set("l.weight_packed", "I32", {8, 3}, randomWords(24));
  result.tensors.set("l.weight_shape", "I64", {2}, std::vector<int64_t>{8, 24});
  result.tensors.set("l.weight_scale", "F32", {8, 2},
                     std::vector<float>(16, 0.1f));
  result.tensors.set("l.weight_zero_point", "I32", {1, 2}, randomWords(2));
  result.settings = R"({"quant_method": "compressed-tensors",
    "config_groups": {"a": {"targets": ["Linear"], "weights": {"num_bits": 4, )" +
                    weights + "}}}}";
  return result;
}

const char *byGroups = R"("group_size": 16, "symmetric": false)";

int32_t wordOf(const OwnedTensor &tensor, int64_t at) {
  int32_t word;
  std::memcpy(&word, &tensor.bytes[at * 4], 4);
  return word;
}

uint32_t nibbleOf(int32_t word, int64_t at) {
  return static_cast<uint32_t>(word) >> (4 * at) & 15;
}

//===----------------------------------------------------------------------===//
// GPTQ
//===----------------------------------------------------------------------===//

TEST(Gptq, ReadsWhatIsThere) {
  Spoilt given = gptq();
  Result<Layer> layer = given.load();
  ASSERT_TRUE(layer.ok()) << layer.status().message();
  EXPECT_EQ(layer->groups, 2);
  EXPECT_EQ(layer->qzeros[1], wordOf(given["qzeros"], 1));
  EXPECT_FALSE(layer->actOrder);
  Result<Layer> v2 = given.load("l", Format::GptqV2);
  ASSERT_TRUE(v2.ok());
  for (int64_t n = 0; n < 8; ++n)
    EXPECT_EQ(nibbleOf(v2->qzeros[1], n),
              (nibbleOf(layer->qzeros[1], n) - 1) & 15);
  given.erase("g_idx");
  given.erase("bias");
  EXPECT_EQ(given.load()->gIdx, layer->gIdx);
  EXPECT_TRUE(given.load()->bias.empty());
}

TEST(Gptq, ErrorsNameTheTensor) {
  auto refused = [](auto spoil, ErrorCode code, const std::string &text) {
    Spoilt given = gptq();
    spoil(given);
    expectRefused(given.load().status(), code, text);
  };
  using enum ErrorCode;
  refused([](Spoilt &s) { s.erase("qweight"); }, NotFound,
          "there is no layer 'l': tensor 'l.qweight' is missing");
  refused(
      [](Spoilt &s) {
        s.erase("qweight");
        s.tensors.set("l.weight", "F16", {1}, std::vector<uint16_t>{0});
      },
      NotFound, "layer 'l' is not quantized, its weight is F16");
  refused([](Spoilt &s) { s.erase("qzeros"); }, NotFound,
          "tensor 'l.qzeros' is missing");
  refused([](Spoilt &s) { s.erase("scales"); }, NotFound,
          "tensor 'l.scales' is missing");
  refused([](Spoilt &s) { s["qweight"].shape = {24}; }, InvalidFile,
          "tensor 'l.qweight' has shape [24], expected [K * 4 / 32, N]");
  refused([](Spoilt &s) { s["qweight"].dtype = "F32"; }, Unsupported,
          "tensor 'l.qweight' has dtype F32, expected I32");
  refused([](Spoilt &s) { s["qzeros"].shape = {1, 2}; }, InvalidFile,
          "tensor 'l.qzeros' has shape [1, 2], expected [2, 1]");
  refused([](Spoilt &s) { s["scales"].dtype = "I16"; }, Unsupported,
          "tensor 'l.scales' has dtype I16, expected F16 or BF16 or F32");
  refused([](Spoilt &s) { s["scales"].shape = {4, 4}; }, InvalidFile,
          "tensor 'l.scales' has shape [4, 4], expected [2, 8]");
  refused([](Spoilt &s) { s["g_idx"].shape = {12, 2}; }, InvalidFile,
          "tensor 'l.g_idx' has shape [12, 2], expected [24]");
  refused([](Spoilt &s) { s["bias"].shape = {2, 4}; }, InvalidFile,
          "tensor 'l.bias' has shape [2, 4], expected [8]");
  refused([](Spoilt &s) { s["g_idx"].bytes[3] = 0x80; }, InvalidFile,
          "layer 'l': g_idx[0] is -2147483648; there are 2 groups");
  refused([](Spoilt &s) { s.settings = R"({"bits": 5})"; }, Unsupported,
          "layer 'l': bits is 5; nibble takes 2, 3, 4 and 8");
  refused([](Spoilt &s) { s.settings = R"({"bits": 4, "group_size": 0})"; },
          InvalidFile, "layer 'l': groupsize is 0");
  // An empty tensor may have any extents.
  refused(
      [](Spoilt &s) {
        s.tensors.set("l.qweight", "I32", {int64_t(1) << 60, 0},
                      std::vector<int32_t>());
      },
      InvalidFile, "tensor 'l.qweight' has more rows than fit 63 bits");
  refused(
      [](Spoilt &s) {
        s.tensors.set("l.qweight", "I32", {int64_t(1) << 40, 0},
                      std::vector<int32_t>());
      },
      InvalidFile, "layer 'l': infeatures is 8796093022208");
}

TEST(Gptq, SymmetricZerosTellTheFormat) {
  for (int bits : Codec::widths) {
    Layer layer = *emptyLayer(bits, -1, 32, 32, false);
    llvm::copy(randomWords(static_cast<int64_t>(layer.qweight.size())),
               layer.qweight.begin());
    Codec codec = layer.codec();
    for (int64_t n = 0; n < 32; ++n)
      codec.put(layer.qzeros.data(), 1, n, (1u << (bits - 1)) - 1);
    ASSERT_TRUE(layer.isSymmetric());
    for (Format stored : {Format::Gptq, Format::GptqV2}) {
      Format other = stored == Format::Gptq ? Format::GptqV2 : Format::Gptq;
      Spoilt given;
      given.tensors.add(gptqTensors("l", layer, stored));
      auto settings = [&](const char *label) {
        return R"({"sym": true, "bits": )" + std::to_string(bits) +
               (label
                    ? std::string(R"(, "checkpoint_format": ")") + label + "\""
                    : "") +
               "}";
      };
      given.settings = settings(formatName(stored));
      ASSERT_TRUE(given.load().ok()) << given.load().status().message();
      EXPECT_EQ(given.load()->qzeros, layer.qzeros);
      given.settings = settings(nullptr); // they are believed
      EXPECT_EQ(given.load()->qzeros, layer.qzeros);
      given.settings = settings(formatName(other));
      expectRefused(
          given.load().status(), ErrorCode::InvalidFile,
          std::string("the checkpoint says that it is ") + formatName(other) +
              " and symmetric, but its zero points are those of " +
              formatName(stored) + "; name the format to overrule it");
      EXPECT_EQ(given.load("l", stored)->qzeros, layer.qzeros);
      EXPECT_NE(given.load("l", other)->qzeros, layer.qzeros);
    }
  }
}

//===----------------------------------------------------------------------===//
// AWQ
//===----------------------------------------------------------------------===//

TEST(Awq, NibblesAreInItsOrder) {
  Spoilt given = awq();
  Result<Layer> layer = given.load();
  ASSERT_TRUE(layer.ok()) << layer.status().message();
  const int columns[] = {0, 2, 4, 6, 1, 3, 5, 7};
  for (int i = 0; i < 8; ++i) {
    for (int64_t k = 0; k < 24; ++k)
      EXPECT_EQ(layer->codec().get(&layer->qweight[columns[i]], 8, k),
                nibbleOf(wordOf(given["qweight"], k), i));
    for (int64_t g = 0; g < 2; ++g)
      EXPECT_EQ((nibbleOf(layer->qzeros[g], columns[i]) + 1) & 15,
                nibbleOf(wordOf(given["qzeros"], g), i));
  }
}

TEST(Awq, LargeLayersHaveEveryCode) {
  Spoilt given = awq();
  int64_t words = largeN / 8;
  std::vector<int32_t> packed = randomWords(largeK * words);
  given.tensors.set("l.qweight", "I32", {largeK, words}, packed);
  given.tensors.set("l.qzeros", "I32", {largeGroups, words},
                    randomWords(largeGroups * words));
  given.tensors.set("l.scales", "F32", {largeGroups, largeN},
                    std::vector<float>(largeGroups * largeN, 0.1f));
  Result<Layer> layer = given.load();
  ASSERT_TRUE(layer.ok()) << layer.status().message();
  const int columns[] = {0, 2, 4, 6, 1, 3, 5, 7};
  int64_t wrong = 0;
  for (int64_t k = 0; k < largeK; ++k)
    for (int64_t w = 0; w < words; ++w)
      for (int i = 0; i < 8; ++i)
        wrong += layer->codec().get(&layer->qweight[w * 8 + columns[i]], largeN,
                                    k) != nibbleOf(packed[k * words + w], i);
  EXPECT_EQ(wrong, 0);
}

TEST(Awq, ErrorsNameTheTensor) {
  Spoilt given = awq();
  given.erase("qzeros");
  expectRefused(given.load().status(), ErrorCode::NotFound,
                "tensor 'l.qzeros' is missing");
  given.settings =
      R"({"w_bit": 4, "q_group_size": 16, "version": "GEMM", "zero_point": false})";
  EXPECT_TRUE(given.load()->isSymmetric());
  given["scales"].shape = {16};
  expectRefused(given.load().status(), ErrorCode::InvalidFile,
                "tensor 'l.scales' has shape [16], expected [2, 8]");
  given["qweight"].shape = {24};
  expectRefused(given.load().status(), ErrorCode::InvalidFile,
                "tensor 'l.qweight' has shape [24], expected [K, N / 8]");
  given.tensors.set("l.qweight", "I32", {0, int64_t(1) << 61},
                    std::vector<int32_t>());
  expectRefused(given.load().status(), ErrorCode::InvalidFile,
                "tensor 'l.qweight' has more columns than fit 63 bits");
  given.tensors.set("l.qweight", "I32", {24, 1}, randomWords(24));
  given["qweight"].shape = {12, 2};
  expectRefused(given.load().status(), ErrorCode::InvalidFile,
                "layer 'l': infeatures is 12");
  given.settings = R"({"quant_method": "awq", "bits": 8})";
  expectRefused(given.load().status(), ErrorCode::Unsupported,
                "layer 'l' has 8 bits; AWQ's packing has 4");
}

//===----------------------------------------------------------------------===//
// compressed-tensors
//===----------------------------------------------------------------------===//

TEST(Compressed, CodesAreRowsOfOutputs) {
  Spoilt given = compressed(byGroups);
  Result<Layer> layer = given.load();
  ASSERT_TRUE(layer.ok()) << layer.status().message();
  for (int64_t n = 0; n < 8; ++n) {
    for (int64_t k = 0; k < 24; ++k)
      EXPECT_EQ(layer->codec().get(&layer->qweight[n], 8, k),
                nibbleOf(wordOf(given["weight_packed"], n * 3 + k / 8), k % 8));
    for (int64_t g = 0; g < 2; ++g)
      EXPECT_EQ((nibbleOf(layer->qzeros[g], n) + 1) & 15,
                nibbleOf(wordOf(given["weight_zero_point"], g), n));
  }
  // Older versions wrote signed zero points, one byte each.
  std::vector<int8_t> bytes(16);
  for (int64_t i = 0; i < 16; ++i)
    bytes[i] = static_cast<int8_t>(
        nibbleOf(wordOf(given["weight_zero_point"], i % 2), i / 2) - 8);
  given.tensors.set("l.weight_zero_point", "I8", {8, 2}, bytes);
  EXPECT_EQ(given.load()->qzeros, layer->qzeros);
  bytes[5] = 8;
  given.tensors.set("l.weight_zero_point", "I8", {8, 2}, bytes);
  expectRefused(given.load().status(), ErrorCode::InvalidFile,
                "weight_zero_point[2, 1] is 8, which has no 4 bits");
  given["weight_zero_point"].shape = {16};
  expectRefused(given.load().status(), ErrorCode::InvalidFile,
                "has shape [16], expected [8, 2]");
}

TEST(Compressed, LargeLayersHaveEveryCode) {
  Spoilt given = compressed(byGroups);
  int64_t words = largeK / 8;
  std::vector<int32_t> packed = randomWords(largeN * words);
  given.tensors.set("l.weight_packed", "I32", {largeN, words}, packed);
  given.tensors.set("l.weight_shape", "I64", {2},
                    std::vector<int64_t>{largeN, largeK});
  given.tensors.set("l.weight_scale", "F32", {largeN, largeGroups},
                    std::vector<float>(largeN * largeGroups, 0.1f));
  given.tensors.set("l.weight_zero_point", "I32", {largeN / 8, largeGroups},
                    randomWords(largeN / 8 * largeGroups));
  Result<Layer> layer = given.load();
  ASSERT_TRUE(layer.ok()) << layer.status().message();
  int64_t wrong = 0;
  for (int64_t n = 0; n < largeN; ++n)
    for (int64_t k = 0; k < largeK; ++k)
      wrong += layer->codec().get(&layer->qweight[n], largeN, k) !=
               nibbleOf(packed[n * words + k / 8], k % 8);
  EXPECT_EQ(wrong, 0);
}

TEST(Compressed, ScalesOfAnyStrategy) {
  Spoilt given = compressed(R"("strategy": "channel")");
  given.erase("weight_zero_point"); // symmetric if nothing is said
  expectRefused(given.load().status(), ErrorCode::InvalidFile,
                "tensor 'l.weight_scale' has shape [8, 2], expected [8, 1]");
  std::vector<float> scales = {1, 2, 3, 4, 5, 6, 7, 8};
  given.tensors.set("l.weight_scale", "F32", {8, 1}, scales);
  Result<Layer> layer = given.load();
  ASSERT_TRUE(layer.ok()) << layer.status().message();
  EXPECT_TRUE(layer->isSymmetric());
  EXPECT_EQ(layer->scale(0, 6), 7);
  given.settings = compressed(R"("strategy": "tensor")").settings;
  given.tensors.set("l.weight_scale", "F32", {1}, std::vector<float>{0.5f});
  EXPECT_EQ(given.load()->scale(0, 6), 0.5f);
  given.settings = compressed(byGroups).settings;
  expectRefused(given.load().status(), ErrorCode::NotFound,
                "tensor 'l.weight_zero_point' is missing");
}

TEST(Compressed, OrderOfMinusOneIsNone) {
  Spoilt given = compressed(byGroups);
  std::vector<int32_t> order(24, -1);
  given.tensors.set("l.weight_g_idx", "I32", {24}, order);
  EXPECT_FALSE(given.load()->actOrder);
  for (int64_t k = 0; k < 24; ++k)
    order[k] = static_cast<int32_t>(k % 2);
  given.tensors.set("l.weight_g_idx", "I32", {24}, order);
  EXPECT_TRUE(given.load()->actOrder);
  EXPECT_EQ(given.load()->gIdx, order);
  order[7] = -1;
  given.tensors.set("l.weight_g_idx", "I32", {24}, order);
  expectRefused(given.load().status(), ErrorCode::InvalidFile,
                "layer 'l': g_idx[7] is -1");
  given["weight_g_idx"].shape = {4, 6};
  expectRefused(given.load().status(), ErrorCode::InvalidFile,
                "tensor 'l.weight_g_idx' has shape [4, 6], expected [24]");
}

TEST(Compressed, SizesAreChecked) {
  auto refused = [](std::vector<int64_t> size, const std::string &text) {
    Spoilt given = compressed(byGroups);
    given.tensors.set("l.weight_shape", "I64", {2}, size);
    expectRefused(given.load().status(), ErrorCode::InvalidFile, text);
  };
  refused({8, 16},
          "tensor 'l.weight_packed' has shape [8, 3], expected [8, 2]");
  refused({8, 20}, "layer 'l': infeatures is 20");
  refused({-8, 24}, "layer 'l': outfeatures is -8");
  refused({8, INT64_MAX}, "layer 'l': infeatures is 9223372036854775807");
  Spoilt given = compressed(byGroups);
  given["weight_shape"].shape = {1, 2};
  expectRefused(given.load().status(), ErrorCode::InvalidFile,
                "tensor 'l.weight_shape' has shape [1, 2], expected [2]");
  given = compressed(byGroups);
  given.tensors.set("l.bias", "F32", {2}, std::vector<float>(2));
  expectRefused(given.load().status(), ErrorCode::InvalidFile,
                "tensor 'l.bias' has shape [2], expected [8]");
}

TEST(Checkpoint, KnowsItsLayersTensors) {
  for (const Spoilt &given : {gptq(), awq(), compressed(byGroups)}) {
    TestFolder folder;
    folder.write("quantize_config.json", given.settings);
    given.tensors.write(folder);
    Result<model::Checkpoint> checkpoint = model::Checkpoint::open(folder.path());
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
    for (const auto &[name, tensor] : given.tensors.byName)
      EXPECT_TRUE(checkpoint->isLayerPart(llvm::StringRef(name).drop_front(2)))
          << name;
    EXPECT_FALSE(checkpoint->isLayerPart("weight"));
  }
  Spoilt given = gptq();
  given.settings = R"({"bits": 4, "dynamic": {"-:l": {}}})";
  expectRefused(given.load().status(), ErrorCode::InvalidFile,
                "layer 'l' has packed weights, but 'dynamic' says that it is "
                "not quantized");
}

TEST(Checkpoint, NeedsFilesAndSettings) {
  TestFolder folder;
  expectRefused(model::Checkpoint::open(folder.path()).status(), ErrorCode::NotFound,
                "has no .safetensors file");
  gptq().tensors.write(folder);
  expectRefused(model::Checkpoint::open(folder.path()).status(), ErrorCode::NotFound,
                "has no quantize_config.json");
  folder.write("quantize_config.json", gptq().settings);
  Result<model::Checkpoint> checkpoint = model::Checkpoint::open(folder.path());
  ASSERT_TRUE(checkpoint.ok());
  EXPECT_EQ(checkpoint->layerNames(), std::vector<std::string>{"l"});
  // A file on its own has no settings beside it.
  EXPECT_TRUE(TensorFiles::open(folder / "model.safetensors").ok());
}

} // namespace
