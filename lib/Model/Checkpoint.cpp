//===- Model/Checkpoint.cpp - The quantized layers of a model -------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Checkpoint.h.
//
//===----------------------------------------------------------------------===//

#include "Model/Checkpoint.h"
#include "Model/Formats.h"
#include "llvm/ADT/STLExtras.h"

using namespace nibble;
using namespace nibble::model;

Result<Checkpoint> Checkpoint::open(const std::string &folder,
                                    std::optional<Format> format) {
  Checkpoint result;
  Result<TensorFiles> files = TensorFiles::open(folder);
  if (!files.ok())
    return files.status();
  Result<CheckpointConfig> config = CheckpointConfig::read(folder, format);
  if (!config.ok())
    return config.status();
  result.tensors = std::move(*files);
  result.settings = std::move(*config);
  result.formatGiven = format.has_value();
  return result;
}

Result<Checkpoint> Checkpoint::open(const std::string &folder,
                                    const std::string &formatName) {
  if (formatName.empty())
    return open(folder);
  Result<Format> format = parseFormat(formatName);
  if (!format.ok())
    return format.status();
  return open(folder, *format);
}

/// The part of a layer's tensors that has its codes.
static const char *codesPart(Format format) {
  return format == Format::CompressedTensors ? "weight_packed" : "qweight";
}

std::vector<std::string> Checkpoint::layerNames() const {
  std::string suffix = std::string(".") + codesPart(settings.format);
  std::vector<std::string> names;
  for (const auto &[name, tensor] : tensors.tensors())
    if (llvm::StringRef prefix = name; prefix.consume_back(suffix))
      names.push_back(prefix.str());
  return names;
}

bool Checkpoint::isLayerPart(llvm::StringRef part) const {
  if (part == "bias")
    return true;
  if (settings.format == Format::CompressedTensors)
    return llvm::is_contained({"weight_packed", "weight_scale", "weight_shape",
                               "weight_zero_point", "weight_g_idx"},
                              part);
  return llvm::is_contained({"qweight", "qzeros", "scales", "g_idx"}, part);
}

Result<Layer> Checkpoint::load(const std::string &name) const {
  LayerTensors own(tensors, name);
  std::string part = codesPart(settings.format);
  if (!own.find(part)) {
    std::string missing = ": tensor '" + name + "." + part + "' is missing";
    if (const FileTensor *weight = own.find("weight"))
      return Status(ErrorCode::NotFound, "layer '" + name +
                                             "' is not quantized, its weight "
                                             "is " +
                                             weight->dtype + missing);
    return Status(ErrorCode::NotFound,
                  "there is no layer '" + name + "'" + missing);
  }
  Result<LayerSettings> of = settings.settingsOf(name);
  if (!of.ok())
    return of.status();
  if (settings.format == Format::Awq)
    return readAwq(own, *of);
  if (settings.format == Format::CompressedTensors)
    return readCompressed(own, *of);
  return readGptq(own, *of, settings.format,
                  formatGiven         ? Certainty::Given
                  : settings.labelled ? Certainty::Label
                                      : Certainty::None);
}
