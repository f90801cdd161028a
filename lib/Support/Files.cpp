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
#include "llvm/Support/Path.h"
#include <csignal>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace nibble;
using namespace llvm;

namespace {
/// Holds back the signal that ends a process when it writes beyond its limit of
/// a file's size; write() says so as well.
class NoSizeSignal {
public:
  NoSizeSignal() {
    sigemptyset(&signal);
    sigaddset(&signal, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &signal, &before);
  }
  ~NoSizeSignal() {
    timespec now = {};
    while (sigtimedwait(&signal, nullptr, &now) > 0)
      ;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

private:
  sigset_t signal, before;
};
} // namespace

/// Writes all of `parts`.
static std::error_code writeAll(int file, ArrayRef<std::string_view> parts) {
  NoSizeSignal guard;
  for (std::string_view part : parts)
    while (!part.empty()) {
      ssize_t written = ::write(file, part.data(), part.size());
      if (written < 0 && errno == EINTR)
        continue;
      if (written < 0)
        return errnoAsErrorCode();
      part.remove_prefix(static_cast<size_t>(written));
    }
  return std::error_code();
}

/// Whether `path` is a device or a pipe, such as /dev/stdout.
static bool isSpecial(const std::string &path) {
  sys::fs::file_status status;
  return !sys::fs::status(path, status) && sys::fs::exists(status) &&
         !sys::fs::is_regular_file(status) && !sys::fs::is_directory(status);
}

/// writeFile() to what is no file: a rename would put one in its place.
static std::error_code writeInto(const std::string &path,
                                 ArrayRef<std::string_view> parts) {
  int file = -1;
  std::error_code error =
      sys::fs::openFileForWrite(path, file, sys::fs::CD_OpenExisting);
  if (error)
    return error;
  error = writeAll(file, parts);
  ::close(file);
  return error;
}

namespace {
/// A file under a name that it loses with this object; it may have another by
/// then.
struct TemporaryFile {
  std::string name;
  /// Which file it is.
  sys::fs::file_status status;

  TemporaryFile() = default;
  TemporaryFile(const TemporaryFile &) = delete;
  ~TemporaryFile() {
    if (!name.empty())
      ::unlink(name.c_str());
  }
  /// Writes `parts` to a new file beside `path`, and to the disk.
  std::error_code create(StringRef path, ArrayRef<std::string_view> parts);
  /// Whether `path` leads to this file.
  bool isAt(StringRef path) const;
};
} // namespace

std::error_code TemporaryFile::create(StringRef path,
                                      ArrayRef<std::string_view> parts) {
  // Once the file is open, nothing may throw.
  name.reserve(path.size() + 32);
  int file = -1;
  SmallString<128> own;
  if (std::error_code error =
          sys::fs::createUniqueFile(path + ".tmp-%%%%%%%%", file, own))
    return error;
  name.assign(own.begin(), own.end());
  std::error_code error = writeAll(file, parts);
  if (!error && ::fsync(file))
    error = errnoAsErrorCode();
  if (!error)
    error = sys::fs::status(file, status);
  if (::close(file) && !error)
    error = errnoAsErrorCode();
  return error;
}

bool TemporaryFile::isAt(StringRef path) const {
  sys::fs::file_status there;
  return !sys::fs::status(path, there) && sys::fs::equivalent(status, there);
}

/// writeFile() to a new file or in the place of one.
static std::error_code replaceFile(StringRef path,
                                   ArrayRef<std::string_view> parts) {
  TemporaryFile file;
  if (std::error_code error = file.create(path, parts))
    return error;
  std::error_code error = sys::fs::rename(file.name, path);
  // When a server's answer is lost, it is asked again and says that there is
  // nothing to rename any more.
  if (error && !file.isAt(path))
    return error;
  file.name.clear();
  return std::error_code();
}

/// Whether `error` says that there is no such call for this file system.
static bool isUnsupported(std::error_code error) {
  return error == std::errc::operation_not_permitted ||
         error == std::errc::operation_not_supported ||
         error == std::errc::function_not_supported ||
         error == std::errc::invalid_argument;
}

/// Gives `file` the name `path`, which must be nobody's.
static std::error_code giveNewName(const TemporaryFile &file,
                                   const std::string &path) {
  auto outcome = [](int result) {
    return result ? errnoAsErrorCode() : std::error_code();
  };
  // NFS has the first alone, and SMB, FAT and others the second.
  std::error_code error = outcome(::link(file.name.c_str(), path.c_str()));
  if (isUnsupported(error))
    error = outcome(::renameat2(AT_FDCWD, file.name.c_str(), AT_FDCWD,
                                path.c_str(), RENAME_NOREPLACE));
  if (isUnsupported(error))
    error = sys::fs::exists(path) ? make_error_code(std::errc::file_exists)
                                  : sys::fs::rename(file.name, path);
  // As with replaceFile(): a server that is asked again says that the name is
  // there.
  return error && file.isAt(path) ? std::error_code() : error;
}

static Status cannotWrite(const std::string &path, std::error_code error) {
  return Status(ErrorCode::IoError,
                "cannot write '" + path + "': " + error.message());
}

Status nibble::writeFile(const std::string &path,
                         ArrayRef<std::string_view> parts) {
  // A link stays, and leads to what is written.
  SmallString<128> target(path);
  if (sys::fs::is_symlink_file(path) && sys::fs::real_path(path, target))
    target = path;
  std::error_code error =
      isSpecial(path) ? writeInto(path, parts) : replaceFile(target, parts);
  return error ? cannotWrite(path, error) : Status();
}

Result<bool> nibble::createFile(const std::string &path,
                                ArrayRef<std::string_view> parts) {
  TemporaryFile file;
  std::error_code error = file.create(path, parts);
  if (!error)
    error = giveNewName(file, path);
  if (error && error != std::errc::file_exists)
    return cannotWrite(path, error);
  return !error;
}

//===----------------------------------------------------------------------===//
// Folders
//===----------------------------------------------------------------------===//

Result<NewFolder> NewFolder::create(const std::string &path) {
  SmallString<128> own(path);
  while (own.size() > 1 && sys::path::is_separator(own.back()))
    own.pop_back();
  std::error_code error;
  if (sys::fs::exists(own) &&
      !(sys::fs::is_directory(own) && sys::fs::directory_iterator(own, error) ==
                                          sys::fs::directory_iterator()))
    return Status(ErrorCode::InvalidArgument,
                  "'" + path +
                      "' exists and is no empty folder; nibble overwrites "
                      "nothing");
  // createUniqueDirectory() takes a relative path for one in /tmp.
  error = sys::fs::make_absolute(own);
  NewFolder result(own.str().str());
  StringRef parent = sys::path::parent_path(own);
  for (StringRef each = parent; !each.empty() && !sys::fs::exists(each);
       each = sys::path::parent_path(each))
    result.parents.push_back(each.str());
  if (!error)
    error = sys::fs::create_directories(parent);
  SmallString<128> temporary;
  if (!error)
    error = sys::fs::createUniqueDirectory(own + ".tmp", temporary);
  if (error)
    return Status(ErrorCode::IoError,
                  "cannot make '" + path + "': " + error.message());
  // Made for its owner alone; what appears is like any other folder.
  sys::fs::setPermissions(temporary, sys::fs::perms(0755));
  result.temporary = temporary.str();
  return result;
}

NewFolder::NewFolder(NewFolder &&other) noexcept
    : temporary(std::exchange(other.temporary, {})),
      final(std::move(other.final)), parents(std::exchange(other.parents, {})) {
}

NewFolder::~NewFolder() {
  if (!temporary.empty())
    sys::fs::remove_directories(temporary);
  // Those that others use by now are not empty, and stay.
  for (const std::string &each : parents)
    sys::fs::remove(each);
}

Status NewFolder::commit() {
  if (std::error_code error = sys::fs::rename(temporary, final))
    return Status(ErrorCode::IoError,
                  "cannot make '" + final + "': " + error.message());
  temporary.clear();
  parents.clear();
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
