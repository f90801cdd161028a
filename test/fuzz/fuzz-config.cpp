//===- fuzz-config.cpp - Reading a checkpoint's settings ------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The input is a configuration, and after a byte of value 0 the name of a layer
// to ask it for.
//
//===----------------------------------------------------------------------===//

#include "FuzzFiles.h"
#include "Model/CheckpointConfig.h"
#include <cstdlib>

using namespace nibble;
using namespace nibble::model;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::vector<std::string_view> parts = fuzz::cut(
      std::string_view(reinterpret_cast<const char *>(data), size), 2);
  // A model's own file holds the settings one level down.
  bool nested = parts[0].find("quantization_config") != std::string_view::npos;
  fuzz::setFile(nested ? "config.json" : "quantize_config.json", parts[0]);
  fuzz::removeFile(nested ? "quantize_config.json" : "config.json");
  Result<CheckpointConfig> config = CheckpointConfig::read(fuzz::folder());
  if (!config.ok()) {
    if (config.status().message().empty())
      std::abort();
    return 0;
  }
  (void)config->settingsOf(std::string(parts.back()));
  return 0;
}
