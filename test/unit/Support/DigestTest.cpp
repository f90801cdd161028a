//===- DigestTest.cpp - Names of contents ---------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Support/Digest.h"
#include <gtest/gtest.h>

using namespace nibble;

namespace {

TEST(Digest, LengthsKeepFieldsApart) {
  EXPECT_EQ(digestOf({"ab", "c"}), digestOf({"ab", "c"}));
  EXPECT_NE(digestOf({"ab", "c"}), digestOf({"a", "bc"}));
  EXPECT_NE(digestOf({"ab", ""}), digestOf({"ab"}));
  EXPECT_NE(digestOf({"ab", "c"}), digestOf({"c", "ab"}));
  llvm::StringRef zeros("\0\0", 2);
  EXPECT_NE(digestOf({zeros}), digestOf({zeros.drop_back()}));
}

// BLAKE3's official test vectors: the digest of no bytes.
TEST(Digest, IsBlake3) {
  EXPECT_EQ(digestOf({}),
            "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
}

TEST(Digest, HasItsForm) {
  std::string digest = digestOf({"a"});
  EXPECT_TRUE(isDigest(digest));
  EXPECT_FALSE(isDigest(llvm::StringRef(digest).drop_back()));
  EXPECT_FALSE(isDigest(digest + "0"));
  digest[5] = 'G';
  EXPECT_FALSE(isDigest(digest));
}

} // namespace
