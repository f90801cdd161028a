//===- CheckpointConfigTest.cpp - Settings and indices in JSON ------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Model/CheckpointConfig.h"
#include "Model/TensorFiles.h"
#include "TestTensors.h"

using namespace nibble;
using namespace nibble::model;
using namespace nibble::test;
namespace fs = std::filesystem;

namespace {

Result<CheckpointConfig> read(const std::string &text) {
  TestFolder folder;
  folder.write("quantize_config.json", text);
  return CheckpointConfig::read(folder.path());
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
  TestFolder folder;
  folder.write("config.json", R"({"quantization_config": {"bits": 8}})");
  EXPECT_EQ(CheckpointConfig::read(folder.path())->settings.bits, 8);
  folder.write("quant_config.json", R"({"bits": 2})");
  EXPECT_EQ(CheckpointConfig::read(folder.path())->settings.bits, 2);
  folder.write("quantize_config.json", R"({"bits": 4})");
  EXPECT_EQ(CheckpointConfig::read(folder.path())->settings.bits, 4);
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

TEST(CheckpointConfig, TwoRulesMustAgree) {
  auto of = [](const char *rules) {
    Result<CheckpointConfig> config =
        read(std::string(R"({"bits": 4, "dynamic": )") + rules + "}");
    EXPECT_TRUE(config.ok()) << config.status().message();
    return config->settingsOf("a.b");
  };
  EXPECT_EQ(of(R"({"a": {"bits": 8}, ".\\.b": {"bits": 8}})")->bits, 8);
  expectRefused(of(R"({"a": {"bits": 8}, ".\\.b": {"bits": 2}})").status(),
                ErrorCode::Unsupported,
                "layer 'a.b' matches two rules of 'dynamic'");
  EXPECT_EQ(of(R"({"b": {"bits": 8}})")->bits, 4); // not at the start
  EXPECT_EQ(of("false")->bits, 4);
  expectRefused(of(R"({"-:a": {}})").status(), ErrorCode::InvalidFile,
                "has packed weights, but 'dynamic' says");
}

TEST(CheckpointConfig, ReadsAwq) {
  Result<CheckpointConfig> config =
      read(R"({"quant_method": "awq", "bits": 4, "group_size": 128,
               "version": "gemm", "zero_point": true,
               "modules_to_not_convert": ["gate", "lm_head"]})");
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(config->format, Format::Awq);
  EXPECT_FALSE(config->settings.symmetric);
  EXPECT_EQ(config->settingsOf("mlp.gate_proj")->groupSize, 128);
  expectRefused(config->settingsOf("mlp.gate").status(), ErrorCode::InvalidFile,
                "'modules_to_not_convert' says that it is not quantized");
  // Its own tool names no method.
  config = read(R"({"w_bit": 4, "q_group_size": 64, "zero_point": false})");
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(config->format, Format::Awq);
  EXPECT_TRUE(config->settings.symmetric);
}

/// compressed-tensors' settings of one group.
std::string groups(const std::string &group, const std::string &rest = "") {
  return R"({"quant_method": "compressed-tensors", "format": "pack-quantized",)" +
         rest + R"( "config_groups": {"g": )" + group + "}}";
}

TEST(CheckpointConfig, ReadsCompressedTensors) {
  Result<CheckpointConfig> config = read(
      R"({"format": "mixed-precision", "ignore": ["lm_head", "re:.*visual"],
          "sparsity_config": {"format": "dense"}, "config_groups": {
            "a": {"targets": ["Linear"], "input_activations": null,
                  "weights": {"num_bits": 4, "group_size": 32, "type": "int",
                              "symmetric": false}},
            "b": {"targets": ["re:.*down", "x.y"], "format": "pack-quantized",
                  "weights": {"num_bits": 8, "strategy": "channel"}}}})");
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(config->format, Format::CompressedTensors);
  EXPECT_EQ(*config->settingsOf("x.up"), (LayerSettings{4, 32, false}));
  EXPECT_EQ(*config->settingsOf("x.down"), (LayerSettings{8, -1, true}));
  EXPECT_EQ(*config->settingsOf("x.y"), (LayerSettings{8, -1, true}));
  EXPECT_EQ(config->settingsOf("x.y.z")->bits, 4);
  for (const char *skipped : {"lm_head", "model.visual.q"})
    expectRefused(config->settingsOf(skipped).status(), ErrorCode::InvalidFile,
                  "'ignore' says that it is not quantized");
  config = read(groups(R"({"targets": ["a"], "weights": {"num_bits": 4}})"));
  ASSERT_TRUE(config.ok()) << config.status().message();
  expectRefused(config->settingsOf("b").status(), ErrorCode::InvalidFile,
                "layer 'b' is in none of 'config_groups'");
  config = read(groups(R"({"targets": ["Linear"], "weights": {"num_bits": 4}},
               "h": {"targets": ["Linear"], "weights": {"num_bits": 8}})"));
  ASSERT_TRUE(config.ok()) << config.status().message();
  expectRefused(config->settingsOf("b").status(), ErrorCode::Unsupported,
                "layer 'b' is in two of 'config_groups' that differ");
}

TEST(CheckpointConfig, FormatMayBeGiven) {
  TestFolder folder;
  folder.write("quantize_config.json",
               R"({"quant_method": "awq", "bits": 4, "version": "marlin"})");
  expectRefused(CheckpointConfig::read(folder.path()).status(),
                ErrorCode::Unsupported, "'version' is 'marlin'");
  Result<CheckpointConfig> config =
      CheckpointConfig::read(folder.path(), Format::GptqV2);
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(config->format, Format::GptqV2);
  for (const char *name : {"gptq", "gptq_v2", "awq", "compressed-tensors"})
    EXPECT_STREQ(formatName(*parseFormat(name)), name);
  expectRefused(parseFormat("marlin").status(), ErrorCode::InvalidArgument,
                "format is 'marlin', expected gptq, gptq_v2, awq or");
}

TEST(CheckpointConfig, NeedsSettingsThatAreThere) {
  TestFolder folder;
  folder.write("config.json", R"({"model_type": "x"})");
  expectRefused(CheckpointConfig::read(folder.path()).status(),
                ErrorCode::NotFound, "has no 'quantization_config'");
  folder.write("config.json", "{");
  expectRefused(CheckpointConfig::read(folder.path()).status(),
                ErrorCode::InvalidFile, "JSON does not parse");
  fs::create_directory(folder / "quantize_config.json");
  expectRefused(CheckpointConfig::read(folder.path()).status(),
                ErrorCode::InvalidFile, "is not a regular file");
}

TEST(NamePattern, TakesPythonsExpressions) {
  auto matches = [](const char *pattern, const char *name) {
    Result<NamePattern> made = NamePattern::expression(pattern);
    EXPECT_TRUE(made.ok()) << made.status().message();
    EXPECT_EQ(made->text(), pattern);
    return made->matches(name);
  };
  EXPECT_TRUE(matches("a\\.\\d+\\.b", "a.12.b"));
  EXPECT_FALSE(matches("a\\.\\d+\\.b", "a.x.b"));
  EXPECT_TRUE(matches("a", "abc"));
  EXPECT_FALSE(matches("a$", "abc"));
  EXPECT_FALSE(matches("b", "abc"));
  EXPECT_TRUE(matches(".*b", "abc"));
  EXPECT_TRUE(matches("(?:a|b)c", "bc"));
  EXPECT_TRUE(matches("\\w+\\sx", "a_1 x"));
  EXPECT_TRUE(matches("[\\d.]+x", "1.5x"));
  EXPECT_TRUE(matches("[\\.\\w]+x", "a.x"));
  EXPECT_TRUE(matches("[]a]+x", "]ax"));
  EXPECT_FALSE(matches("[^]a]+x", "]ax"));
  EXPECT_TRUE(matches("a{2}", "aa"));
  for (const char *pattern : {"(?!a)b", "(?P<n>a)", "a*?b", "a+?", "a??",
                              "\\bx", "[a\\]b]", "[a\\-z]"})
    expectRefused(NamePattern::expression(pattern).status(),
                  ErrorCode::Unsupported, pattern);
  for (const char *pattern : {"(", "[a", "*a"})
    expectRefused(NamePattern::expression(pattern).status(),
                  ErrorCode::InvalidFile, pattern);
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
      {R"({"bits": 4, "quant_method": 1})", "'quant_method' is not a string",
       ErrorCode::InvalidFile},
      {R"({"bits": 4, "checkpoint_format": 1})",
       "'checkpoint_format' is not a string", ErrorCode::InvalidFile},
      {R"({"bits": 4, "dynamic": {"a": 1}})", "'dynamic' has no object for 'a'",
       ErrorCode::InvalidFile},
      {R"({"bits": 4, "dynamic": {"a*?": {}}})", "'*?'",
       ErrorCode::Unsupported},
      {R"({"bits": 4, "modules_to_not_convert": "a"})",
       "'modules_to_not_convert' is not a list", ErrorCode::InvalidFile},
      {R"({"bits": 4, "modules_to_not_convert": [1]})",
       "'modules_to_not_convert' has what is not a string",
       ErrorCode::InvalidFile},
      {R"({"bits": 4, "zero_point": 1})", "'zero_point' is not true or false",
       ErrorCode::InvalidFile},
      {R"({"bits": 4, "version": "gemv"})", "'version' is 'gemv'",
       ErrorCode::Unsupported},
      {R"({"quant_method": "compressed-tensors"})",
       "has no object 'config_groups'", ErrorCode::InvalidFile},
      {R"({"quant_method": "compressed-tensors", "format": "float-quantized"})",
       "'format' is 'float-quantized'; nibble reads pack-quantized",
       ErrorCode::Unsupported},
      {R"({"config_groups": {"g": 1}})",
       "'config_groups' 'g': is not an object", ErrorCode::InvalidFile},
      {R"({"config_groups": {"g": {}}})", "has no object 'weights'",
       ErrorCode::InvalidFile},
      {R"({"config_groups": {"g": {"weights": {}}}})", "has no 'num_bits'",
       ErrorCode::InvalidFile},
      {R"({"config_groups": {"g": {"targets": 1}}})", "'targets' is not a list",
       ErrorCode::InvalidFile},
      {R"({"config_groups": {"g": {"targets": ["re:("]}}})", "the pattern '('",
       ErrorCode::InvalidFile},
      {R"({"config_groups": {"g": {"input_activations": {}}}})",
       "'input_activations' is not null", ErrorCode::Unsupported},
      {R"({"config_groups": {"g": {"format": "int-quantized"}}})",
       "'format' is 'int-quantized'", ErrorCode::Unsupported},
      {R"({"config_groups": {"g": {"weights": {"type": "float"}}}})",
       "'type' is 'float'; nibble reads int", ErrorCode::Unsupported},
      {R"({"config_groups": {"g": {"weights": {"type": 1}}}})",
       "'type' is not a string", ErrorCode::InvalidFile},
      {R"({"config_groups": {"g": {"weights": {"num_bits": 4,
            "strategy": "block"}}}})",
       "'strategy' is 'block'", ErrorCode::Unsupported},
      {R"({"config_groups": {"g": {"weights": {"num_bits": 4,
            "strategy": "group"}}}})",
       "has the strategy group and no 'group_size'", ErrorCode::InvalidFile},
      {R"({"config_groups": {}, "ignore": {}})", "'ignore' is not a list",
       ErrorCode::InvalidFile},
      {R"({"config_groups": {}, "sparsity_config": {"format": "sparse-24"}})",
       "'sparsity_config': 'format' is 'sparse-24'", ErrorCode::Unsupported},
      {R"({"bits": 9223372036854775807.0})", "'bits' is not a whole number",
       ErrorCode::InvalidFile},
      {R"({"bits": 1e999})", "'bits' is not a whole number",
       ErrorCode::InvalidFile},
      {R"({"bits": 4, "dynamic": {"(a{255}){255}{255}": {}}})",
       "a pattern with too many repetitions", ErrorCode::InvalidFile},
      {R"({"bits": 4, "dynamic": {"(a*)\\1": {}}})",
       "a pattern with a back-reference", ErrorCode::InvalidFile},
      {R"({"bits": 4, "dynamic": {"a\u0000b": {}}})",
       "a pattern with a zero byte", ErrorCode::InvalidFile},
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

TEST(CheckpointConfig, RefusesLongPatterns) {
  Status status = read(R"({"bits": 4, "dynamic": {")" + std::string(1001, '(') +
                       R"(": {}}})")
                      .status();
  EXPECT_NE(status.message().find("a pattern of more than 1000 bytes"),
            std::string::npos)
      << status.message();
}

TEST(CheckpointConfig, RefusesFilesTooLarge) {
  TestFolder folder;
  folder.write("config.json", "{");
  fs::resize_file(folder / "config.json", 100'000'001); // a hole
  Status status = CheckpointConfig::read(folder.path()).status();
  EXPECT_EQ(status.code(), ErrorCode::InvalidFile);
  EXPECT_NE(status.message().find("has 100000001 bytes, more than the"),
            std::string::npos)
      << status.message();
}

TEST(TensorFiles, IndexMayNotLeaveItsFolder) {
  for (const char *name :
       {"../x.safetensors", "/x.safetensors", "a/../../x.safetensors", ""}) {
    TestFolder folder;
    folder.write("model.safetensors.index.json",
                 std::string(R"({"weight_map": {"t": ")") + name + "\"}}");
    Result<TensorFiles> files = TensorFiles::open(folder.path());
    ASSERT_FALSE(files.ok()) << name;
    EXPECT_EQ(files.status().code(), ErrorCode::InvalidFile);
    EXPECT_NE(files.status().message().find("'t'"), std::string::npos);
  }
}

TEST(TensorFiles, ErrorsNameTheFile) {
  TestFolder folder;
  folder.write("a.safetensors", "short");
  expectRefused(TensorFiles::open(folder.path()).status(),
                ErrorCode::InvalidFile, "a.safetensors: has 5 bytes");
  expectRefused(TensorFiles::open(folder / "a.safetensors").status(),
                ErrorCode::InvalidFile, "a.safetensors: has 5 bytes");
  const char *index = "model.safetensors.index.json";
  folder.write(index, "{}");
  expectRefused(TensorFiles::open(folder.path()).status(),
                ErrorCode::InvalidFile, "has no object 'weight_map'");
  folder.write(index, "{");
  expectRefused(TensorFiles::open(folder.path()).status(),
                ErrorCode::InvalidFile, "index.json: JSON does not parse");
  folder.write(index, R"({"weight_map": {"t": "a.safetensors"}})");
  expectRefused(TensorFiles::open(folder.path()).status(),
                ErrorCode::InvalidFile, "a.safetensors: has 5 bytes");
  folder.write(index, R"({"weight_map": {"t": "b.safetensors"}})");
  expectRefused(TensorFiles::open(folder.path()).status(), ErrorCode::NotFound,
                "b.safetensors");
  fs::remove(folder / index);
  fs::create_directory(folder / index);
  expectRefused(TensorFiles::open(folder.path()).status(),
                ErrorCode::InvalidFile, index);
}

TEST(TensorFiles, NamesMissingAndDoubleTensors) {
  TestFolder folder;
  uint8_t byte = 0;
  auto write = [&](const char *file, const char *tensor) {
    ASSERT_TRUE(writeSafetensors(folder / file,
                                 {{tensor, "U8", {1}, llvm::ArrayRef(byte)}})
                    .ok());
  };
  write("a.safetensors", "t");
  write("b.safetensors", "t");
  Result<TensorFiles> twice = TensorFiles::open(folder.path());
  ASSERT_FALSE(twice.ok());
  EXPECT_NE(twice.status().message().find("tensor 't' is in another file too"),
            std::string::npos);
  write("b.safetensors", "u");
  EXPECT_EQ(TensorFiles::open(folder.path())->tensors().size(), 2u);
  folder.write(
      "model.safetensors.index.json",
      R"({"weight_map": {"t": "a.safetensors", "v": "b.safetensors"}})");
  Result<TensorFiles> missing = TensorFiles::open(folder.path());
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(
      missing.status().message().find("tensor 'v' is not in 'b.safetensors'"),
      std::string::npos);
  EXPECT_EQ(TensorFiles::open("/nonexistent").status().code(),
            ErrorCode::NotFound);
}

} // namespace
