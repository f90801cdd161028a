//===- TestCheckpoint.h - Layers in a folder ------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TEST_TESTCHECKPOINT_H
#define NIBBLE_TEST_TESTCHECKPOINT_H

#include "../TestFolder.h"
#include "Model/Layer.h"
#include "Model/Safetensors.h"
#include <map>

namespace nibble::test {

/// Writes `layers` as a checkpoint of 4 bits and groups of 32 rows.
inline void writeCheckpoint(const TestFolder &folder,
                            const std::map<std::string, model::Layer> &layers) {
  std::vector<model::TensorToWrite> tensors;
  auto add = [&](const std::string &name, const char *dtype,
                 std::vector<int64_t> shape, const auto &array) {
    const auto *bytes = reinterpret_cast<const uint8_t *>(array.data());
    tensors.push_back({name,
                       dtype,
                       std::move(shape),
                       {bytes, array.size() * sizeof(array[0])}});
  };
  for (const auto &[name, layer] : layers) {
    int64_t K = layer.inFeatures, N = layer.outFeatures;
    add(name + ".qweight", "I32", {K / 8, N}, layer.qweight);
    add(name + ".qzeros", "I32", {layer.groups, N / 8}, layer.qzeros);
    add(name + ".scales", "F16", {layer.groups, N}, layer.scales);
    add(name + ".g_idx", "I32", {K}, layer.gIdx);
  }
  ASSERT_TRUE(model::writeSafetensors(folder / "m.safetensors", tensors).ok());
  folder.write("quantize_config.json", R"({"bits": 4, "group_size": 32})");
}

} // namespace nibble::test

#endif // NIBBLE_TEST_TESTCHECKPOINT_H
