//===- Support/Digest.h - Names of contents -------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// BLAKE3 over a list of fields. Each field goes in with its length before it,
// so that {"ab", "c"} and {"a", "bc"} are different lists.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_SUPPORT_DIGEST_H
#define NIBBLE_SUPPORT_DIGEST_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <string>

namespace nibble {

/// The number of digits of a digest.
inline constexpr size_t digestLength = 64;

/// 256 bits that stand for a list of fields, as lower-case hexadecimal digits.
std::string digestOf(llvm::ArrayRef<llvm::StringRef> fields);

/// True if `text` has the form of a digest.
bool isDigest(llvm::StringRef text);

} // namespace nibble

#endif // NIBBLE_SUPPORT_DIGEST_H
