//===- Model/Safetensors.cpp - One safetensors file -----------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Safetensors.h.
//
//===----------------------------------------------------------------------===//

#include "Model/Safetensors.h"
#include "Model/Json.h"
#include "Support/Files.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/raw_ostream.h"

using namespace nibble;
using namespace nibble::model;
using namespace llvm;

/// The format's own limit for a header.
static constexpr uint64_t maxHeaderBytes = 100'000'000;

static Status invalid(const Twine &message) {
  return Status(ErrorCode::InvalidFile, message.str());
}

/// Bytes of one element; 0 for a name that the format does not have.
static int64_t elementBytes(StringRef dtype) {
  return StringSwitch<int64_t>(dtype)
      .Cases({"BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"}, 1)
      .Cases({"U16", "I16", "F16", "BF16"}, 2)
      .Cases({"U32", "I32", "F32"}, 4)
      .Cases({"U64", "I64", "F64"}, 8)
      .Default(0);
}

namespace {
struct Entry {
  std::string name;
  FileTensor tensor;
  uint64_t begin = 0, end = 0;
};
} // namespace

/// Reads one tensor's entry of the header.
static Result<Entry> readEntry(StringRef name, const json::Value &value) {
  Entry entry;
  entry.name = name.str();
  auto refuse = [&](const Twine &why) {
    return invalid("tensor '" + name + "' " + why);
  };
  const json::Object *object = value.getAsObject();
  if (!object)
    return refuse("is not an object");
  for (const auto &[key, unused] : *object)
    if (StringRef k = key; k != "dtype" && k != "shape" && k != "data_offsets")
      return refuse("has the unknown key '" + k + "'");
  std::optional<StringRef> dtype = object->getString("dtype");
  int64_t size = dtype ? elementBytes(*dtype) : 0;
  if (!size)
    return refuse("has dtype '" + dtype.value_or("(none)") +
                  "', which the format does not have");
  const json::Array *shape = object->getArray("shape");
  if (!shape)
    return refuse("has no shape");
  uint64_t bytes = size;
  for (const json::Value &each : *shape) {
    std::optional<int64_t> extent = each.getAsInteger();
    if (!extent || *extent < 0)
      return refuse("has a shape that is not of whole numbers");
    entry.tensor.shape.push_back(*extent);
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(*extent), &bytes))
      return refuse("has a shape whose product does not fit 64 bits");
  }
  const json::Array *offsets = object->getArray("data_offsets");
  std::optional<uint64_t> begin, end;
  if (offsets && offsets->size() == 2) {
    begin = (*offsets)[0].getAsUINT64();
    end = (*offsets)[1].getAsUINT64();
  }
  if (!begin || !end || *begin > *end)
    return refuse("has no data_offsets of two whole numbers in order");
  if (*end - *begin != bytes)
    return refuse("has " + Twine(*end - *begin) +
                  " bytes, but its shape needs " + Twine(bytes));
  entry.tensor.dtype = dtype->str();
  entry.begin = *begin;
  entry.end = *end;
  return entry;
}

static Status checkMetadata(const json::Value &value) {
  const json::Object *object = value.getAsObject();
  if (!object)
    return invalid("__metadata__ is not an object");
  for (const auto &[key, each] : *object)
    if (!each.getAsString())
      return invalid("__metadata__ has '" + StringRef(key) +
                     "', which is not a string");
  return Status();
}

/// Reads `bytes`; errors do not name the file yet.
static Status readContents(StringRef bytes,
                           std::map<std::string, FileTensor> &contents) {
  if (bytes.size() < 8)
    return invalid("has " + Twine(bytes.size()) +
                   " bytes; a safetensors file has at least 8");
  uint64_t headerBytes = support::endian::read64le(bytes.data());
  if (headerBytes > maxHeaderBytes || headerBytes > bytes.size() - 8)
    return invalid("gives its header " + Twine(headerBytes) +
                   " bytes; the file has " + Twine(bytes.size()) +
                   " and the format allows " + Twine(maxHeaderBytes));
  StringRef header = bytes.substr(8, headerBytes);
  StringRef data = bytes.substr(8 + headerBytes);
  if (!header.starts_with("{"))
    return invalid("has a header that does not begin with '{'");
  Result<json::Object> object = parseJsonObject(header);
  if (!object.ok())
    return object.status();

  std::vector<Entry> entries;
  for (const auto &[key, value] : *object) {
    if (StringRef(key) == "__metadata__") {
      if (Status status = checkMetadata(value); !status.ok())
        return status;
      continue;
    }
    Result<Entry> entry = readEntry(key, value);
    if (!entry.ok())
      return entry.status();
    entries.push_back(std::move(*entry));
  }
  sort(entries, [](const Entry &a, const Entry &b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t expected = 0;
  for (Entry &entry : entries) {
    if (entry.begin != expected)
      return invalid("tensor '" + entry.name + "' begins at byte " +
                     Twine(entry.begin) +
                     ", but the tensors before it end at " + Twine(expected));
    expected = entry.end;
    if (expected > data.size())
      return invalid("tensor '" + entry.name + "' ends at byte " +
                     Twine(expected) + " of " + Twine(data.size()));
    entry.tensor.bytes =
        arrayRefFromStringRef(data.slice(entry.begin, entry.end));
    contents.emplace(entry.name, std::move(entry.tensor));
  }
  if (expected != data.size())
    return invalid("has " + Twine(data.size() - expected) +
                   " bytes that no tensor owns");
  return Status();
}

Result<SafetensorsFile>
SafetensorsFile::read(std::unique_ptr<MemoryBuffer> bytes,
                      const std::string &name) {
  SafetensorsFile file;
  file.mapped = std::move(bytes);
  if (Status status = readContents(file.mapped->getBuffer(), file.contents);
      !status.ok())
    return status.withContext(name);
  return file;
}

Result<SafetensorsFile> SafetensorsFile::open(const std::string &path) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = MemoryBuffer::getFile(
      path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return Status(ErrorCode::IoError,
                  "cannot read '" + path + "': " + buffer.getError().message());
  return read(std::move(*buffer), path);
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

Status model::writeSafetensors(const std::string &path,
                               ArrayRef<TensorToWrite> tensors) {
  json::Object header;
  uint64_t at = 0;
  for (const TensorToWrite &tensor : tensors) {
    header[tensor.name] = json::Object{
        {"dtype", tensor.dtype},
        {"shape", json::Array(tensor.shape)},
        {"data_offsets", json::Array{at, at + tensor.bytes.size()}}};
    at += tensor.bytes.size();
  }
  std::string text;
  raw_string_ostream(text) << json::Value(std::move(header));
  text.resize(alignTo(text.size(), 8), ' '); // tensors begin aligned
  uint8_t length[8];
  support::endian::write64le(length, text.size());
  SmallVector<std::string_view> parts = {toStringRef(ArrayRef<uint8_t>(length)),
                                         text};
  for (const TensorToWrite &tensor : tensors)
    parts.push_back(toStringRef(tensor.bytes));
  return writeFile(path, parts);
}
