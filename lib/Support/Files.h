//===- Support/Files.h - Whole files --------------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Files and folders are written to a temporary name beside their own and then
// given their own, so that nobody ever sees half of one. Files are read by
// pread() into owned memory and never mapped: a mapped file that another
// process cuts short ends this one by SIGBUS, which a library may not catch,
// and its bytes may change after they were checked.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_SUPPORT_FILES_H
#define NIBBLE_SUPPORT_FILES_H

#include "nibble/Status.h"
#include "llvm/ADT/ArrayRef.h"
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nibble {

/// Writes `parts`, one behind the other, to file `path`: all or nothing, with
/// the bytes on the disk before the name appears. Links are followed, and a
/// device or a pipe is written to as it is. Changes nothing of the
/// process, such as its signal handlers, so that a writer that dies leaves
/// `path`.tmp-... behind.
Status writeFile(const std::string &path,
                 llvm::ArrayRef<std::string_view> parts);

/// writeFile() to a new file: false, and nothing is changed, where `path` is a
/// name already. Of several that create one name at once one does, whichever
/// machines they are on. Only where a file system neither gives a file a second
/// name nor has a rename that replaces nothing may the last of them win.
Result<bool> createFile(const std::string &path,
                        llvm::ArrayRef<std::string_view> parts);

/// A regular file that is open for reading. Links are followed (caches of
/// models are made of them); a folder, pipe or device is refused.
class InputFile {
public:
  static Result<InputFile> open(const std::string &path);
  ~InputFile();
  InputFile(InputFile &&other) noexcept;
  InputFile &operator=(InputFile &&) = delete;

  const std::string &path() const { return name; }
  /// Bytes of the file when it was opened.
  uint64_t size() const { return bytes; }
  /// Fills `into` from byte `offset` on; an error if the file has become too
  /// short for that.
  Status read(uint64_t offset, llvm::MutableArrayRef<uint8_t> into) const;

private:
  InputFile(std::string name, int descriptor)
      : name(std::move(name)), descriptor(descriptor) {}
  std::string name;
  int descriptor;
  uint64_t bytes = 0;
};

/// The content of file `path`, which may have at most `maxBytes` bytes.
Result<std::string> readFile(const std::string &path,
                             uint64_t maxBytes = UINT64_MAX);

/// A folder that is written under a temporary name beside its own, and appears
/// as a whole or not at all.
class NewFolder {
public:
  /// Makes the temporary folder for `path`, which must not exist or be
  /// empty; folders above it are made.
  static Result<NewFolder> create(const std::string &path);
  NewFolder(NewFolder &&other) noexcept;
  NewFolder &operator=(NewFolder &&) = delete;
  /// Removes the temporary folder, and those that were made above it, unless
  /// commit() succeeded.
  ~NewFolder();

  /// Where to write until commit().
  const std::string &path() const { return temporary; }
  /// Gives the folder its own name.
  Status commit();

private:
  explicit NewFolder(std::string final) : final(std::move(final)) {}
  std::string temporary, final;
  /// The folders above that were made for it, the innermost first.
  std::vector<std::string> parents;
};

} // namespace nibble

#endif // NIBBLE_SUPPORT_FILES_H
