//===- Support/Files.cpp - Whole files ------------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Files.h.
//
//===----------------------------------------------------------------------===//

#include "Support/Files.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace nibble;
using namespace llvm;

Status nibble::writeFile(const std::string &path,
                         ArrayRef<std::string_view> parts) {
  auto failed = [&](const std::string &why) {
    return Status(ErrorCode::IoError, "cannot write '" + path + "': " + why);
  };
  Expected<sys::fs::TempFile> file =
      sys::fs::TempFile::create(path + ".tmp%%%%%%");
  if (!file)
    return failed(toString(file.takeError()));
  raw_fd_ostream out(file->FD, /*shouldClose=*/false);
  for (std::string_view part : parts)
    out << part;
  out.flush();
  if (out.has_error()) {
    std::string why = out.error().message();
    out.clear_error();
    consumeError(file->discard());
    return failed(why);
  }
  if (Error error = file->keep(path))
    return failed(toString(std::move(error)));
  return Status();
}

Result<NewFolder> NewFolder::create(const std::string &path) {
  SmallString<128> own(path);
  while (own.size() > 1 && sys::path::is_separator(own.back()))
    own.pop_back();
  if (sys::fs::exists(own))
    return Status(ErrorCode::InvalidArgument,
                  "'" + path + "' exists; nibble overwrites no folder");
  StringRef parent = sys::path::parent_path(own);
  std::error_code error;
  if (!parent.empty())
    error = sys::fs::create_directories(parent);
  SmallString<128> temporary;
  if (!error)
    error = sys::fs::createUniqueDirectory(own + ".tmp", temporary);
  if (error)
    return Status(ErrorCode::IoError,
                  "cannot make '" + path + "': " + error.message());
  // Made for its owner alone; what appears is like any other folder.
  sys::fs::setPermissions(temporary, sys::fs::perms(0755));
  return NewFolder(temporary.str().str(), own.str().str());
}

NewFolder::NewFolder(NewFolder &&other) noexcept
    : temporary(std::move(other.temporary)), final(std::move(other.final)) {
  other.temporary.clear();
}

NewFolder::~NewFolder() {
  if (!temporary.empty())
    sys::fs::remove_directories(temporary);
}

Status NewFolder::commit() {
  if (std::error_code error = sys::fs::rename(temporary, final))
    return Status(ErrorCode::IoError,
                  "cannot make '" + final + "': " + error.message());
  temporary.clear();
  return Status();
}

Result<std::string> nibble::readFile(const std::string &path) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = MemoryBuffer::getFile(
      path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return Status(buffer.getError() == std::errc::no_such_file_or_directory
                      ? ErrorCode::NotFound
                      : ErrorCode::IoError,
                  "cannot read '" + path + "': " + buffer.getError().message());
  return (*buffer)->getBuffer().str();
}
