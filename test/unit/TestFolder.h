//===- TestFolder.h - A folder for one test -------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TEST_TESTFOLDER_H
#define NIBBLE_TEST_TESTFOLDER_H

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

namespace nibble::test {

/// A new folder, gone with this object.
class TestFolder {
public:
  TestFolder() : name(testing::TempDir() + "/nibble-XXXXXX") {
    EXPECT_TRUE(mkdtemp(name.data()));
  }
  ~TestFolder() { std::filesystem::remove_all(name); }
  TestFolder(const TestFolder &) = delete;
  TestFolder &operator=(const TestFolder &) = delete;

  const std::string &path() const { return name; }
  std::string operator/(const std::string &file) const {
    return name + "/" + file;
  }
  void write(const std::string &file, const std::string &text) const {
    std::ofstream(*this / file, std::ios::binary) << text;
  }

private:
  std::string name;
};

} // namespace nibble::test

#endif // NIBBLE_TEST_TESTFOLDER_H
