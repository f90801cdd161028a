//===- Jit/CacheEntry.h - One file of the cache ---------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Code with a description, in a form that tells whether it is whole:
//
//   nibble-entry-1
//   <digest of all that follows>
//   {"key": "<the entry's name>", ...}
//   <the code's bytes>
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_JIT_CACHEENTRY_H
#define NIBBLE_JIT_CACHEENTRY_H

#include "nibble/Status.h"
#include "llvm/Support/JSON.h"

namespace nibble {

/// Code, and what it is.
struct CacheEntry {
  llvm::json::Object about;
  std::string code;
};

/// What is larger is no entry: code takes some megabytes at most.
inline constexpr uint64_t maxEntryBytes = uint64_t(1) << 28;

/// The bytes of `entry` under the name `key`, a digest.
std::string encodeEntry(const std::string &key, const CacheEntry &entry);

/// The entry that `bytes` holds; an error if they are not exactly what
/// encodeEntry gave for `key`.
Result<CacheEntry> decodeEntry(const std::string &key, llvm::StringRef bytes);

} // namespace nibble

#endif // NIBBLE_JIT_CACHEENTRY_H
