//===- ConvertTest.cpp - Checkpoints from one format to another -----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// test/lit/Model/convert.test holds the tensors of every format against
// Python; here are several files, settings that differ, and what goes wrong.
//
//===----------------------------------------------------------------------===//

#include "Model/Convert.h"
#include "../API/TestLayer.h"
#include "../CommaLocale.h"
#include "Model/Json.h"
#include "Model/TensorWriter.h"
#include "Support/Files.h"
#include "TestTensors.h"

using namespace nibble;
using namespace nibble::model;
using namespace nibble::test;
namespace fs = std::filesystem;

namespace {

/// A layer of K rows whose scales fp16 does not hold.
Layer wideLayer(int bits, int64_t groupSize, int64_t K) {
  static std::mt19937 random(std::random_device{}());
  return randomLayer(random, bits, groupSize, K, 32, Groups::InOrder,
                     /*bias=*/true, DType::F32);
}

std::vector<std::string> entriesOf(const fs::path &folder) {
  std::vector<std::string> names;
  for (const fs::directory_entry &each : fs::directory_iterator(folder))
    names.push_back(each.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

struct Source : TestFolder {
  std::map<std::string, Layer> layers = {
      {"a.0", wideLayer(4, 16, 64)},
      {"a.1", wideLayer(4, 16, 64)},
      {"a.2", wideLayer(4, -1, 64)},
      {"a.3", wideLayer(8, 16, 64)},
      {"a.4", wideLayer(4, -1, 16)}}; // one group of 16 rows
  std::string settings =
      R"({"bits": 4, "group_size": 16, "checkpoint_format": "gptq_v2",
          "dynamic": {"a\\.2": {"group_size": -1}, "a\\.3": {"bits": 8},
                      "-:b\\.skipped": {}}})";
  Tensors tensors;

  Source() {
    for (const auto &[name, layer] : layers)
      tensors.add(gptqTensors(name, layer, Format::GptqV2));
    tensors.set("b.skipped.weight", "F16", {2, 2}, std::vector<uint16_t>(4, 7));
    tensors.set("norm.weight", "F32", {2}, std::vector<float>{1, 2});
    save();
  }
  void save() const {
    write("quantize_config.json", settings);
    tensors.write(*this);
  }
  Result<Converted> convert(const std::string &out,
                            const ConvertOptions &options = {}) const {
    Result<model::Checkpoint> checkpoint = model::Checkpoint::open(path());
    EXPECT_TRUE(checkpoint.ok()) << checkpoint.status().message();
    return model::convert(*checkpoint, path(), out, options);
  }
};

TEST(Convert, KeepsLayersAndTheirSettings) {
  Source source;
  TestFolder parent;
  std::string out = parent / "deep/out";
  std::vector<std::string> seen;
  auto see = [&](const std::string &name) { seen.push_back(name); };
  ConvertOptions options;
  options.progress = see;
  Result<Converted> done = source.convert(out + "/", options);
  ASSERT_TRUE(done.ok()) << done.status().message();
  EXPECT_EQ(done->layers, 5u);
  EXPECT_EQ(done->tensors, 27u);
  EXPECT_EQ(done->files, 1u);
  EXPECT_EQ(done->wideScales, 5u);
  EXPECT_EQ(seen.size(), 5u);
  EXPECT_EQ(entriesOf(out), (std::vector<std::string>{"model.safetensors",
                                                      "quantize_config.json"}));
  Result<model::Checkpoint> made = model::Checkpoint::open(out);
  ASSERT_TRUE(made.ok()) << made.status().message();
  EXPECT_EQ(made->config().format, Format::Gptq);
  EXPECT_EQ(made->config().dynamic.size(), 3u); // a.2, a.3 and b.skipped
  EXPECT_STREQ(made->config().skipOf("b.skipped"), "dynamic");
  EXPECT_EQ(made->config().skipOf("b.skipped.more"), nullptr);
  for (const auto &[name, layer] : source.layers) {
    Result<Layer> again = made->load(name);
    ASSERT_TRUE(again.ok()) << again.status().message();
    EXPECT_EQ(again->bits, layer.bits);
    EXPECT_EQ(again->groupSize, layer.groupSize);
    EXPECT_EQ(again->qweight, layer.qweight);
    EXPECT_EQ(again->qzeros, layer.qzeros);
    EXPECT_EQ(again->wideScales, layer.wideScales);
    EXPECT_EQ(again->gIdx, layer.gIdx);
    EXPECT_EQ(again->bias, layer.bias);
  }
  EXPECT_EQ(made->files().find("norm.weight")->dtype, "F32");
}

TEST(Convert, WritesSeveralFilesAndAnIndex) {
  Source source;
  TestFolder parent;
  std::string out = parent / "out";
  ConvertOptions options;
  options.to = Format::GptqV2;
  options.fileBytes = 3000;
  Result<Converted> done = source.convert(out, options);
  ASSERT_TRUE(done.ok()) << done.status().message();
  EXPECT_GT(done->files, 2u);
  EXPECT_EQ(entriesOf(out).size(), done->files + 2);
  Result<model::Checkpoint> made = model::Checkpoint::open(out);
  ASSERT_TRUE(made.ok()) << made.status().message();
  EXPECT_EQ(made->files().tensors().size(), 27u);
  for (const auto &[name, layer] : source.layers) {
    EXPECT_EQ(made->load(name)->qweight, layer.qweight);
    EXPECT_EQ(made->load(name)->qzeros, layer.qzeros);
  }
}

TEST(Convert, ReplacesTheSettingsOfConfigJson) {
  Source source;
  fs::remove(source / "quantize_config.json");
  source.write("config.json", R"({"model_type": "x", "quantization_config": )" +
                                  source.settings + "}");
  TestFolder parent;
  std::string out = parent / "out";
  ASSERT_TRUE(source.convert(out).ok());
  fs::remove(fs::path(out) / "quantize_config.json");
  Result<CheckpointConfig> config = CheckpointConfig::read(out);
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(config->format, Format::Gptq);
  EXPECT_NE(readFile(out + "/config.json")->find("\"model_type\": \"x\""),
            std::string::npos);
}

TEST(Convert, NumbersDoNotDependOnTheHostsLocale) {
  Source source;
  fs::remove(source / "quantize_config.json");
  source.write("config.json",
               R"({"rms_norm_eps": 1.5e-05, "quantization_config": )" +
                   source.settings + "}");
  TestFolder parent;
  std::string out = parent / "out";
  {
    CommaLocale german;
    Status status = source.convert(out).status();
    ASSERT_TRUE(status.ok()) << status.message();
  }
  auto config = readJsonFile(out + "/config.json");
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(config->getNumber("rms_norm_eps"), 1.5e-05);
}

TEST(Convert, ErrorsLeaveNothing) {
  Source source;
  TestFolder parent;
  std::string out = parent / "far/deep/out";
  auto refused = [&](ErrorCode code, const std::string &text,
                     const ConvertOptions &options = {}) {
    expectRefused(source.convert(out, options).status(), code, text);
    EXPECT_EQ(entriesOf(parent.path()), std::vector<std::string>());
  };
  // The last layer is wrong, after files are there.
  OwnedTensor zeros = source.tensors.byName["a.4.qzeros"];
  source.tensors.byName["a.4.qzeros"].shape = {4, 1};
  source.save();
  ConvertOptions options;
  options.fileBytes = 1000;
  refused(ErrorCode::InvalidFile, "tensor 'a.4.qzeros' has shape", options);
  source.tensors.byName["a.4.qzeros"] = zeros;
  source.save();
  // config.json, which is not where the settings are.
  source.write("config.json", "{");
  refused(ErrorCode::InvalidFile, "config.json");
  fs::remove(source / "config.json");
  fs::create_directory(source / "config.json");
  refused(ErrorCode::InvalidFile, "config.json' is not a regular file");
  fs::remove(source / "config.json");

  fs::create_directories(fs::path(out) / "theirs");
  expectRefused(source.convert(out).status(), ErrorCode::InvalidArgument,
                "out' exists and is no empty folder");
  EXPECT_TRUE(fs::exists(fs::path(out) / "theirs"));
  expectRefused(source.convert("/proc/none/out").status(), ErrorCode::IoError,
                "cannot make '/proc/none/out'");
  source.tensors.byName.clear();
  source.tensors.set("norm.weight", "F32", {2}, std::vector<float>{1, 2});
  source.save();
  fs::remove_all(parent / "far");
  refused(ErrorCode::NotFound, "has no quantized layer");
}

TEST(TensorWriter, ErrorsNameTheFile) {
  TensorWriter writer("/nonexistent", 1);
  expectRefused(writer.add(OwnedTensor{"t", "U8", {1}, {0}}),
                ErrorCode::IoError, "/nonexistent/model-00001.safetensors");
  expectRefused(writer.finish(), ErrorCode::IoError,
                "cannot rename 'model-00001.safetensors'");
  TensorWriter none("/nonexistent", 1);
  expectRefused(none.finish(), ErrorCode::IoError, "/nonexistent/model");
}

TEST(NewFolder, AppearsAsAWhole) {
  TestFolder parent;
  std::string out = parent / "out";
  {
    Result<NewFolder> folder = NewFolder::create(out);
    ASSERT_TRUE(folder.ok());
    NewFolder moved = std::move(*folder);
    ASSERT_TRUE(writeFile(moved.path() + "/file", {"text"}).ok());
    EXPECT_FALSE(fs::exists(out));
    ASSERT_TRUE(moved.commit().ok());
  }
  EXPECT_EQ(entriesOf(parent.path()), std::vector<std::string>{"out"});
  EXPECT_EQ(*readFile(out + "/file"), "text");
  fs::remove_all(out);
  {
    Result<NewFolder> folder = NewFolder::create(out);
    ASSERT_TRUE(folder.ok());
    std::ofstream(out) << "a file took the name";
    expectRefused(folder->commit(), ErrorCode::IoError, "cannot make '" + out);
  }
  EXPECT_EQ(entriesOf(parent.path()), std::vector<std::string>{"out"});
}

} // namespace
