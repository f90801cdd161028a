//===- Model/TensorWriter.cpp - A model's tensors, file by file -----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See TensorWriter.h.
//
//===----------------------------------------------------------------------===//

#include "Model/TensorWriter.h"
#include "Support/Files.h"
#include "llvm/Support/FormatVariadic.h"
#include <filesystem>

using namespace nibble;
using namespace nibble::model;
namespace fs = std::filesystem;
namespace json = llvm::json;

Status TensorWriter::add(OwnedTensor tensor) {
  pendingBytes += tensor.bytes.size();
  totalBytes += tensor.bytes.size();
  pending.push_back(std::move(tensor));
  return pendingBytes < fileBytes ? Status() : flush();
}

Status TensorWriter::flush() {
  char number[24];
  std::snprintf(number, sizeof(number), "%05zu", files.size() + 1);
  std::string file = std::string("model-") + number + ".safetensors";
  files.push_back(file);
  std::vector<TensorToWrite> views;
  for (const OwnedTensor &each : pending) {
    places[each.name] = file;
    views.push_back(each.view());
  }
  Status status = writeSafetensors((fs::path(folder) / file).string(), views);
  pending.clear();
  pendingBytes = 0;
  return status;
}

Status TensorWriter::finish() {
  if (!pending.empty() || files.empty())
    if (Status status = flush(); !status.ok())
      return status;
  if (files.size() == 1) {
    std::error_code error;
    fs::rename(fs::path(folder) / files[0],
               fs::path(folder) / "model.safetensors", error);
    return error ? Status(ErrorCode::IoError, "cannot rename '" + files[0] +
                                                  "': " + error.message())
                 : Status();
  }
  json::Object index{{"metadata", json::Object{{"total_size", totalBytes}}},
                     {"weight_map", json::Object(places)}};
  return writeFile(
      (fs::path(folder) / "model.safetensors.index.json").string(),
      {llvm::formatv("{0:2}\n", json::Value(std::move(index))).str()});
}
