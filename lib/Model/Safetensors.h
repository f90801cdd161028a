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
// that is not the shape's, a hole, an overlap, bytes that no tensor owns.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_MODEL_SAFETENSORS_H
#define NIBBLE_MODEL_SAFETENSORS_H

#include "nibble/Status.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/MemoryBuffer.h"
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace nibble::model {

/// A tensor in a mapped file.
struct FileTensor {
  /// The format's name of the element type, such as "F16".
  std::string dtype;
  std::vector<int64_t> shape;
  /// Its bytes, little endian, at no particular alignment.
  llvm::ArrayRef<uint8_t> bytes;
};

/// A file, mapped for as long as this lives.
class SafetensorsFile {
public:
  static Result<SafetensorsFile> open(const std::string &path);
  /// The same for a file's content in memory, which is called `name`.
  static Result<SafetensorsFile> read(std::unique_ptr<llvm::MemoryBuffer> bytes,
                                      const std::string &name);

  const std::map<std::string, FileTensor> &tensors() const { return contents; }

private:
  std::unique_ptr<llvm::MemoryBuffer> mapped;
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
