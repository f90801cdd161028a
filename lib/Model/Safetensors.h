//===- Model/Safetensors.h - One safetensors file -------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A file is a u64 (little endian) that gives the header's length, the header in
// JSON, and the tensors' bytes:
//
//   {"a.qweight": {"dtype": "I32", "shape": [512, 4096],
//                  "data_offsets": [0, 8388608]}, "__metadata__": {...}}
//
// The reader takes the format at its word and refuses every deviation: a length
// that is not the shape's, a hole, an overlap, bytes that no tensor owns
// (docs/checks.md). The header is read when a file is opened, tensors when they
// are asked for.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_MODEL_SAFETENSORS_H
#define NIBBLE_MODEL_SAFETENSORS_H

#include "Support/Files.h"
#include "nibble/DType.h"
#include "nibble/Status.h"
#include "llvm/ADT/ArrayRef.h"
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nibble::model {

/// Where a tensor's bytes lie; they are little endian, at no particular
/// alignment.
class FileBytes {
public:
  FileBytes() = default;
  FileBytes(std::shared_ptr<const InputFile> file, uint64_t begin, size_t count)
      : file(std::move(file)), begin(begin), count(count) {}

  size_t size() const { return count; }
  /// Fills `into`, which has size() bytes.
  Status read(llvm::MutableArrayRef<uint8_t> into) const;
  /// The bytes, copied.
  Result<std::vector<uint8_t>> read() const;

private:
  std::shared_ptr<const InputFile> file;
  uint64_t begin = 0;
  size_t count = 0;
};

/// A tensor in a file.
struct FileTensor {
  /// The format's name of the element type, such as "F16".
  std::string dtype;
  std::vector<int64_t> shape;
  FileBytes bytes;
};

/// The type of numbers that files call F16, BF16 or F32; nothing for another.
std::optional<DType> floatType(llvm::StringRef dtype);

/// The numbers of `tensor`; Unsupported if it is of no such type.
Result<std::vector<float>> readFloats(const FileTensor &tensor);

/// A file, open for as long as this or a tensor of it lives.
class SafetensorsFile {
public:
  /// Opens `path` and reads its header.
  static Result<SafetensorsFile> open(const std::string &path);

  const std::map<std::string, FileTensor> &tensors() const { return contents; }

private:
  std::map<std::string, FileTensor> contents;
};

/// One tensor to write.
struct TensorToWrite {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  llvm::ArrayRef<uint8_t> bytes;
};

/// Writes `tensors` to file `path`, all or nothing.
Status writeSafetensors(const std::string &path,
                        llvm::ArrayRef<TensorToWrite> tensors);

} // namespace nibble::model

#endif // NIBBLE_MODEL_SAFETENSORS_H
