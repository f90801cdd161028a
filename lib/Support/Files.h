//===- Support/Files.h - Whole files --------------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Files are written to a temporary name beside their own and renamed, so that
// nobody ever sees half of one.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_SUPPORT_FILES_H
#define NIBBLE_SUPPORT_FILES_H

#include "nibble/Status.h"
#include "llvm/ADT/ArrayRef.h"
#include <string_view>

namespace nibble {

/// Writes `parts`, one behind the other, to file `path`: all or nothing.
Status writeFile(const std::string &path,
                 llvm::ArrayRef<std::string_view> parts);

/// Writes file `path` from within any process: all or nothing, with the bytes
/// on the disk before the name appears. Unlike writeFile it changes nothing of
/// the process, such as its signal handlers, so that a writer that dies leaves
/// `path`.tmp-... behind.
Status installFile(const std::string &path, std::string_view bytes);

/// The content of file `path`.
Result<std::string> readFile(const std::string &path);

} // namespace nibble

#endif // NIBBLE_SUPPORT_FILES_H
