//===- Model/CheckpointWriter.cpp - A new GPTQ checkpoint -----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See CheckpointWriter.h.
//
//===----------------------------------------------------------------------===//

#include "Model/CheckpointWriter.h"
#include "Model/Json.h"
#include "Support/CLocale.h"
#include "llvm/Support/FormatVariadic.h"
#include <filesystem>

using namespace nibble;
using namespace nibble::model;
namespace fs = std::filesystem;
namespace json = llvm::json;

Result<CheckpointWriter> CheckpointWriter::create(const std::string &out,
                                                  const std::string &from,
                                                  uint64_t fileBytes) {
  std::optional<json::Object> config;
  fs::path path = fs::path(from) / "config.json";
  std::error_code error;
  if (fs::exists(path, error)) {
    Result<json::Object> read = readJsonFile(path.string());
    if (!read.ok())
      return read.status();
    config = std::move(*read);
  }
  Result<NewFolder> folder = NewFolder::create(out);
  if (!folder.ok())
    return folder.status();
  return CheckpointWriter(std::move(*folder), fileBytes, std::move(config));
}

Status CheckpointWriter::add(const std::string &name, const Layer &layer,
                             Format format) {
  for (OwnedTensor &each : gptqTensors(name, layer, format))
    if (Status status = tensors.add(std::move(each)); !status.ok())
      return status;
  return Status();
}

Status CheckpointWriter::copy(const std::string &name,
                              const FileTensor &tensor) {
  Result<std::vector<uint8_t>> bytes = tensor.bytes.read();
  if (!bytes.ok())
    return bytes.status().withContext("tensor '" + name + "'");
  return tensors.add(
      OwnedTensor{name, tensor.dtype, tensor.shape, std::move(*bytes)});
}

static Status writeJson(const std::string &path, json::Object object) {
  CLocale locale;
  return writeFile(
      path, {llvm::formatv("{0:2}\n", json::Value(std::move(object))).str()});
}

Status CheckpointWriter::finish(json::Object settings) {
  Status status = tensors.finish();
  if (status.ok())
    status = writeJson(folder.path() + "/quantize_config.json", settings);
  if (status.ok() && config) {
    (*config)["quantization_config"] = std::move(settings);
    status = writeJson(folder.path() + "/config.json", std::move(*config));
  }
  return status.ok() ? folder.commit() : status;
}
