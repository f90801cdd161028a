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
#include "Support/BulkMemory.h"
#include "Support/Half.h"
#include "Support/OutOfMemory.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/raw_ostream.h"
#include <cstring>
#include <mutex>

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
    std::optional<uint64_t> extent = each.getAsUINT64();
    if (!extent || *extent > INT64_MAX)
      return refuse("has a shape that is not of whole numbers below 2^63");
    entry.tensor.shape.push_back(static_cast<int64_t>(*extent));
    if (__builtin_mul_overflow(bytes, *extent, &bytes))
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

/// Reads the header; errors do not name the file yet.
static Status readContents(std::shared_ptr<const InputFile> file,
                           std::map<std::string, FileTensor> &contents) {
  uint8_t length[8];
  if (file->size() < sizeof length)
    return invalid("has " + Twine(file->size()) +
                   " bytes; a safetensors file has at least 8");
  if (Status status = file->read(0, length); !status.ok())
    return status;
  uint64_t headerBytes = support::endian::read64le(length);
  if (headerBytes > maxHeaderBytes || headerBytes > file->size() - 8)
    return invalid("gives its header " + Twine(headerBytes) +
                   " bytes; the file has " + Twine(file->size()) +
                   " and the format allows " + Twine(maxHeaderBytes));
  std::vector<uint8_t> bytes(headerBytes);
  if (Status status = file->read(8, bytes); !status.ok())
    return status;
  StringRef header = toStringRef(bytes);
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
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  uint64_t dataBegin = 8 + headerBytes, dataBytes = file->size() - dataBegin;
  uint64_t expected = 0;
  for (Entry &entry : entries) {
    if (entry.begin != expected)
      return invalid("tensor '" + entry.name + "' begins at byte " +
                     Twine(entry.begin) +
                     ", but the tensors before it end at " + Twine(expected));
    expected = entry.end;
    if (expected > dataBytes)
      return invalid("tensor '" + entry.name + "' ends at byte " +
                     Twine(expected) + " of " + Twine(dataBytes));
    entry.tensor.bytes =
        FileBytes(file, dataBegin + entry.begin, entry.end - entry.begin);
    contents.emplace(entry.name, std::move(entry.tensor));
  }
  if (expected != dataBytes)
    return invalid("has " + Twine(dataBytes - expected) +
                   " bytes that no tensor owns");
  return Status();
}

Result<SafetensorsFile> SafetensorsFile::open(const std::string &path) {
  Result<InputFile> input = InputFile::open(path);
  if (!input.ok())
    return input.status();
  SafetensorsFile file;
  if (Status status = readContents(
          std::make_shared<InputFile>(std::move(*input)), file.contents);
      !status.ok())
    return status.withContext(path);
  return file;
}

Status FileBytes::read(MutableArrayRef<uint8_t> into) const {
  assert(into.size() == count);
  std::mutex mutex;
  Status status;
  size_t failed = count; // the first error says where a file ends
  fillBulk(count, 1, [&](size_t first, size_t end) {
    Status part = catchOutOfMemory([&] {
      return file->read(begin + first, into.slice(first, end - first));
    });
    std::lock_guard lock(mutex);
    if (!part.ok() && first < failed) {
      status = std::move(part);
      failed = first;
    }
  });
  return status;
}

Result<std::vector<uint8_t>> FileBytes::read() const {
  return catchOutOfMemory([&]() -> Result<std::vector<uint8_t>> {
    std::vector<uint8_t> bytes(count);
    if (Status status = read(bytes); !status.ok())
      return status;
    return bytes;
  });
}

std::optional<DType> model::floatType(StringRef dtype) {
  return StringSwitch<std::optional<DType>>(dtype)
      .Case("F16", DType::F16)
      .Case("BF16", DType::BF16)
      .Case("F32", DType::F32)
      .Default(std::nullopt);
}

Result<std::vector<float>> model::readFloats(const FileTensor &tensor) {
  std::optional<DType> type = floatType(tensor.dtype);
  if (!type)
    return Status(ErrorCode::Unsupported,
                  "has dtype " + tensor.dtype + ", expected F16, BF16 or F32");
  return catchOutOfMemory([&]() -> Result<std::vector<float>> {
    auto read = [&](auto &numbers) {
      return tensor.bytes.read(
          {reinterpret_cast<uint8_t *>(numbers.data()), tensor.bytes.size()});
    };
    std::vector<float> values(tensor.bytes.size() / dtypeSize(*type));
    std::vector<uint16_t> halves(*type == DType::F32 ? 0 : values.size());
    Status status = *type == DType::F32 ? read(values) : read(halves);
    if (!status.ok())
      return status;
    if (*type == DType::F16)
      halvesToFloats(halves.data(), halves.size(), values.data());
    if (*type == DType::BF16)
      llvm::transform(halves, values.begin(),
                      [](uint16_t bits) { return bfloatToFloat(bits); });
    return values;
  });
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
