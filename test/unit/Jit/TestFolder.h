//===- TestFolder.h - A folder for one test -------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TEST_TESTFOLDER_H
#define NIBBLE_TEST_TESTFOLDER_H

#include "llvm/Support/FileSystem.h"
#include <gtest/gtest.h>

namespace nibble::test {

/// A new folder, gone with this object.
class TestFolder {
public:
  TestFolder() {
    EXPECT_FALSE(llvm::sys::fs::createUniqueDirectory("nibble-test", name));
  }
  ~TestFolder() { llvm::sys::fs::remove_directories(name); }
  TestFolder(const TestFolder &) = delete;
  TestFolder &operator=(const TestFolder &) = delete;

  std::string path() const { return name.str().str(); }
  std::string operator/(const std::string &file) const {
    return path() + "/" + file;
  }

private:
  llvm::SmallString<128> name;
};

} // namespace nibble::test

#endif // NIBBLE_TEST_TESTFOLDER_H
