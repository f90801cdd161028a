//===- CheckpointConfigTest.cpp - Settings and indices in JSON ------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Model/CheckpointConfig.h"
#include "Model/TensorFiles.h"
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::model;
namespace fs = std::filesystem;

namespace {

struct Folder {
  fs::path path;
  Folder() {
    std::string pattern = testing::TempDir() + "/nibbleXXXXXX";
    path = mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(path); }
  void write(const std::string &name, const std::string &text) const {
    std::ofstream(path / name, std::ios::binary) << text;
  }
};

Result<CheckpointConfig> read(const std::string &text) {
  Folder folder;
  folder.write("quantize_config.json", text);
  return CheckpointConfig::read(folder.path.string());
}

TEST(CheckpointConfig, ReadsBothSpellings) {
  Result<CheckpointConfig> a =
      read(R"({"bits": 4, "group_size": 128, "sym": true, "desc_act": false})");
  ASSERT_TRUE(a.ok()) << a.status().message();
  EXPECT_EQ(a->settings.bits, 4);
  EXPECT_EQ(a->settings.groupSize, 128);
  EXPECT_TRUE(a->settings.symmetric);
  EXPECT_EQ(a->format, Format::Gptq);
  Result<CheckpointConfig> b = read(
      R"({"w_bit": 8, "q_group_size": -1, "checkpoint_format": "gptq_v2"})");
  ASSERT_TRUE(b.ok()) << b.status().message();
  EXPECT_EQ(b->settings.bits, 8);
  EXPECT_EQ(b->settings.groupSize, -1);
  EXPECT_EQ(b->format, Format::GptqV2);
}

TEST(CheckpointConfig, TakesTheFirstFileThatIsThere) {
  Folder folder;
  folder.write("config.json", R"({"quantization_config": {"bits": 8}})");
  EXPECT_EQ(CheckpointConfig::read(folder.path.string())->settings.bits, 8);
  folder.write("quant_config.json", R"({"bits": 2})");
  EXPECT_EQ(CheckpointConfig::read(folder.path.string())->settings.bits, 2);
  folder.write("quantize_config.json", R"({"bits": 4})");
  EXPECT_EQ(CheckpointConfig::read(folder.path.string())->settings.bits, 4);
}

TEST(CheckpointConfig, RulesOverrideSettings) {
  Result<CheckpointConfig> config = read(
      R"({"bits": 4, "group_size": 64, "dynamic": {
            "+:model\\.layers\\.\\d+\\.mlp": {"bits": 8, "group_size": 32},
            "-:model\\.layers\\.0\\.attn": {}}})");
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(config->settingsOf("model.layers.12.mlp.up")->bits, 8);
  EXPECT_EQ(config->settingsOf("model.layers.12.mlp.up")->groupSize, 32);
  EXPECT_EQ(config->settingsOf("x.model.layers.1.mlp")->bits, 4);
  EXPECT_EQ(config->settingsOf("model.layers.0.attn.q").status().code(),
            ErrorCode::InvalidFile);
}

TEST(CheckpointConfig, ErrorsNameTheKey) {
  struct {
    const char *text, *message;
    ErrorCode code;
  } cases[] = {
      {R"({})", "has no 'bits'", ErrorCode::InvalidFile},
      {R"({"bits": "4"})", "'bits' is not a whole number",
       ErrorCode::InvalidFile},
      {R"({"bits": 4.5})", "'bits' is not a whole number",
       ErrorCode::InvalidFile},
      {R"({"bits": 4, "group_size": []})", "'group_size'",
       ErrorCode::InvalidFile},
      {R"({"bits": 4, "sym": 1})", "'sym' is not true or false",
       ErrorCode::InvalidFile},
      {R"({"bits": 4, "quant_method": "hqq"})",
       "'quant_method' is 'hqq'; nibble reads gptq, awq and "
       "compressed-tensors",
       ErrorCode::Unsupported},
      {R"({"bits": 4, "checkpoint_format": "marlin"})", "is 'marlin'",
       ErrorCode::Unsupported},
      {R"({"bits": 4, "pack_dtype": "int64"})", "'pack_dtype' is 'int64'",
       ErrorCode::Unsupported},
      {R"({"bits": 4, "dynamic": []})", "'dynamic' is not an object",
       ErrorCode::InvalidFile},
      {R"({"bits": 4, "dynamic": {"(": {}}})", "the pattern '('",
       ErrorCode::InvalidFile},
      {R"({"bits": 4, "dynamic": {"a": {"bits": "x"}}})", "'bits' is not",
       ErrorCode::InvalidFile},
      {R"({"bits": 4, "bits": 8})", "given twice", ErrorCode::InvalidFile},
  };
  for (const auto &each : cases) {
    Result<CheckpointConfig> config = read(each.text);
    ASSERT_FALSE(config.ok()) << each.text;
    EXPECT_EQ(config.status().code(), each.code) << each.text;
    EXPECT_NE(config.status().message().find(each.message), std::string::npos)
        << config.status().message();
    EXPECT_NE(config.status().message().find("quantize_config.json"),
              std::string::npos);
  }
}

TEST(TensorFiles, IndexMayNotLeaveItsFolder) {
  for (const char *name :
       {"../x.safetensors", "/x.safetensors", "a/../../x.safetensors", ""}) {
    Folder folder;
    folder.write("model.safetensors.index.json",
                 std::string(R"({"weight_map": {"t": ")") + name + "\"}}");
    Result<TensorFiles> files = TensorFiles::open(folder.path.string());
    ASSERT_FALSE(files.ok()) << name;
    EXPECT_EQ(files.status().code(), ErrorCode::InvalidFile);
    EXPECT_NE(files.status().message().find("'t'"), std::string::npos);
  }
}

TEST(TensorFiles, NamesMissingAndDoubleTensors) {
  Folder folder;
  uint8_t byte = 0;
  auto write = [&](const char *file, const char *tensor) {
    ASSERT_TRUE(writeSafetensors((folder.path / file).string(),
                                 {{tensor, "U8", {1}, llvm::ArrayRef(byte)}})
                    .ok());
  };
  write("a.safetensors", "t");
  write("b.safetensors", "t");
  Result<TensorFiles> twice = TensorFiles::open(folder.path.string());
  ASSERT_FALSE(twice.ok());
  EXPECT_NE(twice.status().message().find("tensor 't' is in another file too"),
            std::string::npos);
  write("b.safetensors", "u");
  EXPECT_EQ(TensorFiles::open(folder.path.string())->tensors().size(), 2u);
  folder.write(
      "model.safetensors.index.json",
      R"({"weight_map": {"t": "a.safetensors", "v": "b.safetensors"}})");
  Result<TensorFiles> missing = TensorFiles::open(folder.path.string());
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(
      missing.status().message().find("tensor 'v' is not in 'b.safetensors'"),
      std::string::npos);
  EXPECT_EQ(TensorFiles::open("/nonexistent").status().code(),
            ErrorCode::NotFound);
}

} // namespace
