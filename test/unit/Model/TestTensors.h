//===- TestTensors.h - Checkpoints to be changed and written --------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TEST_TESTTENSORS_H
#define NIBBLE_TEST_TESTTENSORS_H

#include "../TestFolder.h"
#include "Model/GptqTensors.h"
#include "Model/Safetensors.h"
#include <gtest/gtest.h>
#include <map>

namespace nibble::test {

/// Tensors of a checkpoint by name, to be changed and written.
struct Tensors {
  std::map<std::string, model::OwnedTensor> byName;

  template <typename T>
  void set(const std::string &name, const char *dtype,
           std::vector<int64_t> shape, const std::vector<T> &data) {
    const auto *bytes = reinterpret_cast<const uint8_t *>(data.data());
    byName[name] = {
        name, dtype, std::move(shape),
        std::vector<uint8_t>(bytes, bytes + data.size() * sizeof(T))};
  }
  void add(std::vector<model::OwnedTensor> tensors) {
    for (model::OwnedTensor &each : tensors)
      byName[each.name] = each;
  }
  void write(const TestFolder &folder) const {
    std::vector<model::TensorToWrite> views;
    for (const auto &[name, tensor] : byName)
      views.push_back(tensor.view());
    ASSERT_TRUE(
        model::writeSafetensors(folder / "model.safetensors", views).ok());
  }
};

/// Expects an error with `code` whose message has `text`.
inline void expectRefused(const Status &status, ErrorCode code,
                          const std::string &text) {
  EXPECT_EQ(status.code(), code) << status.message();
  EXPECT_NE(status.message().find(text), std::string::npos)
      << "expected " << text << "\n     got " << status.message();
}

} // namespace nibble::test

#endif // NIBBLE_TEST_TESTTENSORS_H
