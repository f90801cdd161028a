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
#include "llvm/Support/raw_ostream.h"
#include <csignal>
#include <pthread.h>
#include <unistd.h>

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

/// Writes all of `bytes`, and waits until they are on the disk.
static std::error_code writeThrough(int file, std::string_view bytes) {
  NoSizeSignal guard;
  while (!bytes.empty()) {
    ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return errnoAsErrorCode();
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return ::fsync(file) ? errnoAsErrorCode() : std::error_code();
}

Status nibble::installFile(const std::string &path, std::string_view bytes) {
  int file = -1;
  SmallString<128> temporary;
  std::error_code error =
      sys::fs::createUniqueFile(path + ".tmp-%%%%%%%%", file, temporary);
  if (!error) {
    error = writeThrough(file, bytes);
    if (::close(file) && !error)
      error = errnoAsErrorCode();
    if (!error)
      error = sys::fs::rename(temporary, path);
    if (error)
      ::unlink(temporary.c_str());
  }
  if (error)
    return Status(ErrorCode::IoError,
                  "cannot write '" + path + "': " + error.message());
  return Status();
}

Result<std::string> nibble::readFile(const std::string &path) {
  // Volatile: read, not mapped, for a mapped file that is cut is a signal.
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer =
      MemoryBuffer::getFile(path, /*IsText=*/false,
                            /*RequiresNullTerminator=*/false,
                            /*IsVolatile=*/true);
  if (!buffer)
    return Status(buffer.getError() == std::errc::no_such_file_or_directory
                      ? ErrorCode::NotFound
                      : ErrorCode::IoError,
                  "cannot read '" + path + "': " + buffer.getError().message());
  return (*buffer)->getBuffer().str();
}
