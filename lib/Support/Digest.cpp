//===- Support/Digest.cpp - Names of contents -----------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Digest.h.
//
//===----------------------------------------------------------------------===//

#include "Support/Digest.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/BLAKE3.h"
#include "llvm/Support/Endian.h"

using namespace nibble;
using namespace llvm;

std::string nibble::digestOf(ArrayRef<StringRef> fields) {
  BLAKE3 hash;
  for (StringRef field : fields) {
    uint8_t length[8];
    support::endian::write64le(length, field.size());
    hash.update(ArrayRef<uint8_t>(length));
    hash.update(field);
  }
  return toHex(hash.final(), /*LowerCase=*/true);
}

bool nibble::isDigest(StringRef text) {
  return text.size() == digestLength && all_of(text, [](char c) {
           return isDigit(c) || (c >= 'a' && c <= 'f');
         });
}
