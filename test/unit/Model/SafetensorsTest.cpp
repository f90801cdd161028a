//===- SafetensorsTest.cpp - Files that break the rules -------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Model/Safetensors.h"
#include "Model/Json.h"
#include "llvm/ADT/StringExtras.h"
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <random>
#include <sys/stat.h>

using namespace nibble;
using namespace nibble::model;

namespace {

/// A file of `header` and `dataBytes` bytes.
std::string file(const std::string &header, size_t dataBytes) {
  uint64_t length = header.size();
  std::string bytes(reinterpret_cast<char *>(&length), 8);
  return bytes + header + std::string(dataBytes, '\1');
}

std::string write(const std::string &bytes) {
  std::string path = testing::TempDir() + "/nibble-read.safetensors";
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

Result<SafetensorsFile> read(const std::string &bytes) {
  return SafetensorsFile::open(write(bytes));
}

TEST(Safetensors, ReadsTensors) {
  Result<SafetensorsFile> read_ = read(file(
      R"({"__metadata__": {"a": "b"},
          "m": {"dtype": "F16", "shape": [2, 3], "data_offsets": [4, 16]},
          "s": {"dtype": "I32", "shape": [], "data_offsets": [0, 4]},
          "e": {"dtype": "F32", "shape": [0, 7], "data_offsets": [16, 16]}})",
      16));
  ASSERT_TRUE(read_.ok()) << read_.status().message();
  const auto &tensors = read_->tensors();
  ASSERT_EQ(tensors.size(), 3u);
  EXPECT_EQ(tensors.at("m").shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(tensors.at("m").bytes.size(), 12u);
  EXPECT_TRUE(tensors.at("s").shape.empty());
  EXPECT_EQ(tensors.at("e").bytes.size(), 0u);
}

struct Broken {
  const char *header;
  size_t dataBytes;
  const char *message;
};

TEST(Safetensors, RefusesWhatBreaksTheRules) {
  const Broken cases[] = {
      {R"([])", 0, "does not begin with '{'"},
      {R"({)", 0, "JSON does not parse"},
      {R"( {})", 0, "does not begin with '{'"},
      {R"({"a": 1})", 0, "tensor 'a' is not an object"},
      {R"({"a": {"dtype": "F12", "shape": [], "data_offsets": [0, 4]}})", 4,
       "dtype 'F12'"},
      {R"({"a": {"shape": [], "data_offsets": [0, 4]}})", 4, "dtype '(none)'"},
      {R"({"a": {"dtype": "F32", "data_offsets": [0, 4]}})", 4, "no shape"},
      {R"({"a": {"dtype": "F32", "shape": [1.5], "data_offsets": [0, 4]}})", 4,
       "not of whole numbers"},
      {R"({"a": {"dtype": "F32", "shape": [9.3e18], "data_offsets": [0, 4]}})",
       4, "not of whole numbers"},
      {R"({"a": {"dtype": "F32", "shape": [9223372036854775808], "data_offsets": [0, 0]}})",
       0, "not of whole numbers below 2^63"},
      {R"({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}})", 4,
       "not of whole numbers"},
      {R"({"a": {"dtype": "F32", "shape": [4294967296, 4294967296], "data_offsets": [0, 0]}})",
       0, "does not fit 64 bits"},
      {R"({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0]}})", 4,
       "no data_offsets"},
      {R"({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}})", 4,
       "no data_offsets"},
      {R"({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 8]}})", 8,
       "has 8 bytes, but its shape needs 4"},
      {R"({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}})", 8,
       "begins at byte 4, but the tensors before it end at 0"},
      {R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
           "b": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}})",
       8, "'b' begins at byte 4"},
      {R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}})", 4,
       "ends at byte 8 of 4"},
      {R"({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}})", 9,
       "5 bytes that no tensor owns"},
      {R"({"a": {"dtype": "F32", "shape": [], "data_offsets": [0, 4], "x": 1}})",
       4, "unknown key 'x'"},
      {R"({"a": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]},
           "a": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}})",
       4, "key 'a' is given twice"},
      {R"({"__metadata__": {"a": 1}})", 0, "which is not a string"},
      {R"({"__metadata__": []})", 0, "__metadata__ is not an object"},
  };
  for (const Broken &each : cases) {
    Result<SafetensorsFile> result = read(file(each.header, each.dataBytes));
    ASSERT_FALSE(result.ok()) << each.header;
    EXPECT_EQ(result.status().code(), ErrorCode::InvalidFile);
    EXPECT_NE(result.status().message().find(each.message), std::string::npos)
        << each.header << "\n"
        << result.status().message();
  }
}

TEST(Safetensors, RefusesHeaderLengthsThatAreNotThere) {
  for (size_t bytes : {0, 4, 7})
    EXPECT_FALSE(read(std::string(bytes, '\0')).ok());
  for (uint64_t length : {uint64_t(3), uint64_t(100'000'001), UINT64_MAX}) {
    std::string bytes(reinterpret_cast<char *>(&length), 8);
    EXPECT_FALSE(read(bytes + "{}").ok());
  }
}

TEST(Safetensors, EveryPrefixOfAFileIsRefused) {
  std::string whole = file(
      R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}})", 8);
  ASSERT_TRUE(read(whole).ok());
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_FALSE(read(whole.substr(0, length)).ok()) << length;
}

/// Tensors are read when they are asked for: the file may be another by then.
TEST(Safetensors, AFileCutShortIsAnError) {
  // The second is read by several threads.
  for (size_t count : {100000, 20000003}) {
    std::string text = std::to_string(count);
    std::string path =
        write(file(R"({"a": {"dtype": "U8", "shape": [)" + text +
                       R"(], "data_offsets": [0, )" + text + "]}}",
                   count));
    Result<SafetensorsFile> opened = SafetensorsFile::open(path);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    FileTensor tensor = opened->tensors().at("a");
    EXPECT_EQ(tensor.bytes.read()->size(), count);
    ASSERT_EQ(truncate(path.c_str(), count / 4), 0);
    Result<std::vector<uint8_t>> bytes = tensor.bytes.read();
    ASSERT_FALSE(bytes.ok());
    EXPECT_EQ(bytes.status().code(), ErrorCode::IoError);
    EXPECT_NE(bytes.status().message().find("ends at byte " +
                                            std::to_string(count / 4) + " now"),
              std::string::npos)
        << bytes.status().message();
  }
}

TEST(Safetensors, LargeTensorsAreReadWhole) {
  constexpr int64_t count = 2500003; // 10 MB, and no whole page
  std::mt19937 random(std::random_device{}());
  std::vector<uint32_t> numbers(count);
  for (uint32_t &each : numbers)
    each = random();
  llvm::ArrayRef bytes(reinterpret_cast<const uint8_t *>(numbers.data()),
                       numbers.size() * 4);
  std::string path = testing::TempDir() + "/nibble-large.safetensors";
  ASSERT_TRUE(writeSafetensors(path, {{"small", "U8", {3}, bytes.take_front(3)},
                                      {"large", "U32", {count}, bytes}})
                  .ok());
  Result<SafetensorsFile> opened = SafetensorsFile::open(path);
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  Result<std::vector<uint8_t>> read =
      opened->tensors().at("large").bytes.read();
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_TRUE(bytes == llvm::ArrayRef<uint8_t>(*read));
}

TEST(Safetensors, TakesLinksToFilesAndNothingElse) {
  namespace fs = std::filesystem;
  fs::path folder = fs::path(testing::TempDir()) / "nibble-links";
  fs::remove_all(folder);
  fs::create_directory(folder);
  fs::create_symlink(write(file("{}", 0)), folder / "good");
  EXPECT_TRUE(SafetensorsFile::open((folder / "good").string()).ok());
  fs::create_symlink(folder / "loop", folder / "loop");
  EXPECT_EQ(SafetensorsFile::open((folder / "loop").string()).status().code(),
            ErrorCode::IoError);
  fs::create_symlink("/dev/zero", folder / "zero");
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  for (const fs::path &path : {folder, folder / "pipe", folder / "zero"}) {
    Status status = SafetensorsFile::open(path.string()).status();
    EXPECT_EQ(status.code(), ErrorCode::InvalidFile) << path;
    EXPECT_NE(status.message().find("is not a regular file"),
              std::string::npos);
  }
  fs::remove_all(folder);
}

TEST(Json, RefusesMoreValuesThanMemoryIsFor) {
  std::string many = "{\"a\":[0";
  for (int i = 0; i < (1 << 22); ++i)
    many += ",0";
  Status status = parseJsonObject(many + "]}").status();
  EXPECT_NE(status.message().find("JSON has more than 4194304 values"),
            std::string::npos)
      << status.message();
}

TEST(Json, RefusesDepthAndDuplicates) {
  std::string deep =
      "{\"a\":" + std::string(100000, '[') + std::string(100000, ']') + "}";
  Result<llvm::json::Object> result = parseJsonObject(deep);
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.status().message().find("nested more than 64 deep"),
            std::string::npos);
  EXPECT_FALSE(parseJsonObject(R"({"a": 1, "\u0061": 2})").ok());
  EXPECT_FALSE(parseJsonObject(R"({"a": {"b": 1, "b": 2}})").ok());
  EXPECT_FALSE(parseJsonObject("{\"a\": \"\xff\"}").ok());
  EXPECT_FALSE(parseJsonObject("[1]").ok());
  EXPECT_TRUE(
      parseJsonObject(R"({"a": "a", "b": ["a", "a"], "c": {"a": 1}})").ok());
  EXPECT_TRUE(parseJsonObject(R"({"a\"": 1, "a": 2})").ok());
}

TEST(Safetensors, WritesWhatItReads) {
  std::string path = testing::TempDir() + "/nibble-write.safetensors";
  std::vector<uint8_t> bytes = {1, 2, 3, 4, 5, 6};
  ASSERT_TRUE(writeSafetensors(
                  path, {{"b", "U8", {4}, llvm::ArrayRef(bytes).take_front(4)},
                         {"a", "F16", {1}, llvm::ArrayRef(bytes).take_back(2)}})
                  .ok());
  Result<SafetensorsFile> again = SafetensorsFile::open(path);
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(*again->tensors().at("b").bytes.read(),
            llvm::ArrayRef(bytes).take_front(4).vec());
  EXPECT_EQ(*again->tensors().at("a").bytes.read(),
            llvm::ArrayRef(bytes).take_back(2).vec());
  EXPECT_FALSE(writeSafetensors("/nonexistent/x", {}).ok());
  EXPECT_EQ(SafetensorsFile::open("/nonexistent/x").status().code(),
            ErrorCode::NotFound);
}

} // namespace
