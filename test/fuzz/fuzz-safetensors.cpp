//===- fuzz-safetensors.cpp - Reading a safetensors file ------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The first byte says what follows it: 'r', a whole file; else a header, a byte
// of value 0 and data, to which the header's length is added. An accepted file
// must hold what it says, and be the same when it is written and read again.
//
//===----------------------------------------------------------------------===//

#include "FuzzFiles.h"
#include "Model/Safetensors.h"
#include <cstdlib>

using namespace nibble;
using namespace nibble::model;

static void require(bool holds) {
  if (!holds)
    std::abort();
}

static void checkWritten(const SafetensorsFile &file) {
  std::vector<std::vector<uint8_t>> contents;
  std::vector<TensorToWrite> tensors;
  for (const auto &[name, tensor] : file.tensors()) {
    Result<std::vector<uint8_t>> bytes = tensor.bytes.read();
    require(bytes.ok());
    contents.push_back(std::move(*bytes));
  }
  for (const auto &[name, tensor] : file.tensors())
    tensors.push_back(
        {name, tensor.dtype, tensor.shape, contents[tensors.size()]});
  std::string path = fuzz::folder() + "/again";
  require(writeSafetensors(path, tensors).ok());
  Result<SafetensorsFile> again = SafetensorsFile::open(path);
  require(again.ok() && again->tensors().size() == tensors.size());
  for (const TensorToWrite &tensor : tensors) {
    const FileTensor &read = again->tensors().at(tensor.name);
    require(read.dtype == tensor.dtype && read.shape == tensor.shape &&
            *read.bytes.read() == tensor.bytes.vec());
  }
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view input(reinterpret_cast<const char *>(data), size);
  if (input.empty())
    return 0;
  if (input[0] == 'r') {
    fuzz::setFile("file", input.substr(1));
  } else {
    std::vector<std::string_view> parts = fuzz::cut(input.substr(1), 2);
    fuzz::setFile(
        "file", fuzz::safetensors(parts[0], parts.size() > 1 ? parts[1] : ""));
  }
  Result<SafetensorsFile> file =
      SafetensorsFile::open(fuzz::folder() + "/file");
  if (file.ok())
    checkWritten(*file);
  else
    require(!file.status().message().empty());
  return 0;
}
