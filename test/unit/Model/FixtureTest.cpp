//===- FixtureTest.cpp - Checkpoints that nibble did not write ------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every layer of every checkpoint below NIBBLE_FIXTURES against what the
// script that wrote it expects (test/fixtures/make_checkpoints.py).
//
//===----------------------------------------------------------------------===//

#include "Model/Checkpoint.h"
#include "Support/Half.h"
#include "nibble/QuantLinear.h"
#include <cmath>
#include <filesystem>
#include <gtest/gtest.h>

using namespace nibble;
namespace fs = std::filesystem;

TEST(Fixtures, EveryLayerGivesWhatTheScriptExpects) {
  const char *root = std::getenv("NIBBLE_FIXTURES");
  ASSERT_TRUE(root) << "NIBBLE_FIXTURES names no folder";
  int layers = 0;
  for (const fs::directory_entry &each : fs::directory_iterator(root)) {
    std::string folder = each.path().string();
    Result<model::Checkpoint> checkpoint = model::Checkpoint::open(folder);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
    Result<model::SafetensorsFile> expected =
        model::SafetensorsFile::open(folder + "/expected.st");
    ASSERT_TRUE(expected.ok()) << expected.status().message();
    for (const std::string &name : checkpoint->layerNames()) {
      SCOPED_TRACE(folder + " " + name);
      Result<QuantLinear> layer = QuantLinear::load(folder, name);
      ASSERT_TRUE(layer.ok()) << layer.status().message();
      EXPECT_EQ(layer->actOrder(),
                name.find(".act") != std::string::npos &&
                    layer->groupSize() != layer->inFeatures());
      const model::FileTensor &x = expected->tensors().at(name + ".x");
      const model::FileTensor &y = expected->tensors().at(name + ".y");
      std::vector<uint16_t> in(x.bytes.size() / 2), out(y.bytes.size() / 4);
      std::vector<float> exact(out.size());
      ASSERT_TRUE(
          x.bytes.read({reinterpret_cast<uint8_t *>(in.data()), x.bytes.size()})
              .ok());
      ASSERT_TRUE(
          y.bytes
              .read({reinterpret_cast<uint8_t *>(exact.data()), y.bytes.size()})
              .ok());
      Status status =
          layer->forward(TensorView::dense(in.data(), DType::F16, x.shape),
                         TensorView::dense(out.data(), DType::F16, y.shape));
      ASSERT_TRUE(status.ok()) << status.message();
      double difference = 0, reference = 0;
      for (size_t i = 0; i < out.size(); ++i) {
        difference += std::pow(halfToFloat(out[i]) - exact[i], 2);
        reference += std::pow(exact[i], 2);
      }
      EXPECT_LE(std::sqrt(difference / reference), 4e-4);
      ++layers;
    }
  }
  std::printf("%d layers\n", layers);
  EXPECT_EQ(layers, 174);
}
