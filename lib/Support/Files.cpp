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
#include "llvm/Support/raw_ostream.h"
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

using namespace nibble;
using namespace llvm;
namespace fs = std::filesystem;

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

//===----------------------------------------------------------------------===//
// Folders
//===----------------------------------------------------------------------===//

Result<NewFolder> NewFolder::create(const std::string &path) {
  std::string final = StringRef(path).rtrim('/').str();
  if (final.empty())
    return Status(ErrorCode::InvalidArgument,
                  "'" + path + "' cannot be a new folder");
  auto failed = [&](std::error_code error) {
    return Status(ErrorCode::IoError,
                  "cannot make folder '" + final + "': " + error.message());
  };
  std::error_code error;
  if (fs::exists(final, error) &&
      !(fs::is_directory(final, error) && fs::is_empty(final, error)))
    return Status(ErrorCode::InvalidArgument,
                  "'" + final +
                      "' exists and is no empty folder; nibble "
                      "overwrites nothing");
  if (fs::path parent = fs::path(final).parent_path(); !parent.empty())
    fs::create_directories(parent, error);
  if (error)
    return failed(error);
  for (int tries = 0; tries < 16; ++tries) {
    SmallString<128> name;
    sys::fs::createUniquePath(final + ".tmp%%%%%%", name,
                              /*MakeAbsolute=*/false);
    error = sys::fs::create_directory(name, /*IgnoreExisting=*/false);
    if (!error)
      return NewFolder(final, name.str().str());
  }
  return failed(error);
}

NewFolder::~NewFolder() {
  std::error_code error;
  if (!temporary.empty())
    fs::remove_all(temporary, error);
}

std::string NewFolder::file(const std::string &name) const {
  return (fs::path(temporary) / name).string();
}

Status NewFolder::keep() {
  std::error_code error;
  fs::rename(temporary, final, error); // also onto an empty folder
  if (error)
    return Status(ErrorCode::IoError,
                  "cannot make folder '" + final + "': " + error.message());
  temporary.clear();
  return Status();
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

InputFile::InputFile(InputFile &&other) noexcept
    : name(std::move(other.name)),
      descriptor(std::exchange(other.descriptor, -1)), bytes(other.bytes) {}

InputFile::~InputFile() {
  if (descriptor >= 0)
    ::close(descriptor);
}

static Status cannotRead(const std::string &path, int error) {
  return Status(error == ENOENT ? ErrorCode::NotFound : ErrorCode::IoError,
                "cannot read '" + path +
                    "': " + std::generic_category().message(error));
}

Result<InputFile> InputFile::open(const std::string &path) {
  // Not to wait for the other end of a pipe.
  InputFile file(path, ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status;
  if (file.descriptor < 0 || ::fstat(file.descriptor, &status) != 0)
    return cannotRead(path, errno);
  if (!S_ISREG(status.st_mode))
    return Status(ErrorCode::InvalidFile,
                  "'" + path + "' is not a regular file");
  file.bytes = static_cast<uint64_t>(status.st_size);
  return file;
}

Status InputFile::read(uint64_t offset, MutableArrayRef<uint8_t> into) const {
  while (!into.empty()) {
    ssize_t got = ::pread(descriptor, into.data(), into.size(),
                          static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return cannotRead(name, errno);
    if (got == 0)
      return Status(ErrorCode::IoError,
                    "'" + name + "' had " + std::to_string(bytes) +
                        " bytes when it was opened and ends at byte " +
                        std::to_string(offset) + " now");
    offset += static_cast<uint64_t>(got);
    into = into.drop_front(static_cast<size_t>(got));
  }
  return Status();
}

Result<std::string> nibble::readFile(const std::string &path,
                                     uint64_t maxBytes) {
  Result<InputFile> file = InputFile::open(path);
  if (!file.ok())
    return file.status();
  if (file->size() > maxBytes)
    return Status(ErrorCode::InvalidFile,
                  "'" + path + "' has " + std::to_string(file->size()) +
                      " bytes, more than the " + std::to_string(maxBytes) +
                      " that nibble reads of such a file");
  std::string content(file->size(), '\0');
  Status status = file->read(
      0, {reinterpret_cast<uint8_t *>(content.data()), content.size()});
  if (!status.ok())
    return status;
  return content;
}
