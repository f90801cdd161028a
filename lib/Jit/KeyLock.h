//===- Jit/KeyLock.h - One process at a time for a key --------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A lock of one byte of a file, whose place follows from the key: no lock file
// is ever created or removed for a key, and the kernel gives the lock up when
// its holder dies. Two keys with the same place merely wait for each other.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_JIT_KEYLOCK_H
#define NIBBLE_JIT_KEYLOCK_H

#include <string>
#include <sys/types.h>

namespace nibble {

/// At most one lock, given up with this object.
class KeyLock {
public:
  KeyLock() = default;
  ~KeyLock();
  KeyLock(const KeyLock &) = delete;
  KeyLock &operator=(const KeyLock &) = delete;

  /// Tries to lock `key`, a digest, in `file`. False while another holds it.
  /// True, too, where there can be no lock: on a file system without them and
  /// in a folder that cannot be written.
  bool take(const std::string &file, const std::string &key);

  /// Whether there is a lock and this object has it.
  bool isHeld() const { return held; }

private:
  int descriptor = -1;
  off_t place = 0;
  bool held = false;
};

} // namespace nibble

#endif // NIBBLE_JIT_KEYLOCK_H
