//===- PackFixtureTest.cpp - pack() against the seed's formula ------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every layer of file NIBBLE_PACKS, word by word against what the script that
// wrote it expects (test/fixtures/make_packs.py).
//
//===----------------------------------------------------------------------===//

#include "Model/Pack.h"
#include "Model/Safetensors.h"
#include "llvm/ADT/StringRef.h"
#include <cstring>
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::model;

template <typename T> static std::vector<T> valuesOf(const FileTensor &tensor) {
  std::vector<uint8_t> bytes = *tensor.bytes.read();
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

TEST(PackFixtures, EveryWordIsWhatTheFormulaGives) {
  const char *path = std::getenv("NIBBLE_PACKS");
  ASSERT_TRUE(path) << "NIBBLE_PACKS names no file";
  Result<SafetensorsFile> file = SafetensorsFile::open(path);
  ASSERT_TRUE(file.ok()) << file.status().message();
  int layers = 0;
  for (const auto &[name, weight] : file->tensors()) {
    llvm::StringRef prefix = name;
    if (!prefix.consume_back(".weight"))
      continue;
    SCOPED_TRACE(name);
    auto tensor = [&](const char *part) -> const FileTensor & {
      return file->tensors().at(prefix.str() + "." + part);
    };
    int bits = 0, groupSize = 0;
    ASSERT_EQ(std::sscanf(name.c_str(), "b%d.g%d.", &bits, &groupSize), 2);
    Result<Layer> layer =
        emptyLayer(bits, groupSize, weight.shape[1], weight.shape[0], false);
    ASSERT_TRUE(layer.ok()) << layer.status().message();
    Status status = packLayer(*layer, valuesOf<float>(weight),
                              valuesOf<float>(tensor("scales")),
                              valuesOf<float>(tensor("zeros")),
                              valuesOf<int32_t>(tensor("g_idx")), {});
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(llvm::ArrayRef<int32_t>(layer->qweight),
              llvm::ArrayRef<int32_t>(valuesOf<int32_t>(tensor("qweight"))));
    EXPECT_EQ(layer->qzeros, valuesOf<int32_t>(tensor("qzeros")));
    EXPECT_EQ(layer->scales, valuesOf<uint16_t>(tensor("halves")));
    ++layers;
  }
  std::printf("%d layers packed\n", layers);
  EXPECT_EQ(layers, 12);
}
