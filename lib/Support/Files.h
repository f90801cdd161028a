//===- Support/Files.h - Whole files --------------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Files and folders are written to a temporary name beside their own and
// renamed, so that nobody ever sees half of one.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_SUPPORT_FILES_H
#define NIBBLE_SUPPORT_FILES_H

#include "nibble/Status.h"
#include "llvm/ADT/ArrayRef.h"
#include <string>
#include <string_view>

namespace nibble {

/// Writes `parts`, one behind the other, to file `path`: all or nothing.
Status writeFile(const std::string &path,
                 llvm::ArrayRef<std::string_view> parts);

/// The content of file `path`.
Result<std::string> readFile(const std::string &path);

/// A folder that is written under a temporary name beside its own, and appears
/// as a whole or not at all.
class NewFolder {
public:
  /// Makes the temporary folder for `path`, which must not exist.
  static Result<NewFolder> create(const std::string &path);
  NewFolder(NewFolder &&other) noexcept;
  NewFolder &operator=(NewFolder &&) = delete;
  /// Removes the temporary folder, unless commit() was called.
  ~NewFolder();

  /// Where to write until commit().
  const std::string &path() const { return temporary; }
  /// Gives the folder its own name.
  Status commit();

private:
  NewFolder(std::string temporary, std::string final)
      : temporary(std::move(temporary)), final(std::move(final)) {}
  std::string temporary, final;
};

} // namespace nibble

#endif // NIBBLE_SUPPORT_FILES_H
