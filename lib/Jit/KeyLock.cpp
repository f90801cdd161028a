//===- Jit/KeyLock.cpp - One process at a time for a key ------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See KeyLock.h. The locks belong to the open file, not to the process as
// POSIX's do: those vanish when any thread closes any descriptor of the file.
//
//===----------------------------------------------------------------------===//

#include "Jit/KeyLock.h"
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

using namespace nibble;

static int setLock(int descriptor, short type, off_t place) {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = place;
  lock.l_len = 1;
  return ::fcntl(descriptor, F_OFD_SETLK, &lock);
}

bool KeyLock::take(const std::string &file, const std::string &key) {
  if (descriptor < 0) {
    descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    place = static_cast<off_t>(std::stoull(key.substr(0, 15), nullptr, 16));
  }
  held = descriptor >= 0 && setLock(descriptor, F_WRLCK, place) == 0;
  return held || descriptor < 0 || (errno != EAGAIN && errno != EACCES);
}

KeyLock::~KeyLock() {
  if (descriptor < 0)
    return;
  // Closing is not enough: a process forked meanwhile has the file open, too.
  setLock(descriptor, F_UNLCK, place);
  ::close(descriptor);
}
