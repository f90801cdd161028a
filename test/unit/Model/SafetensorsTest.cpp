//===- SafetensorsTest.cpp - Files that break the rules -------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Model/Safetensors.h"
#include "Model/Json.h"
#include "llvm/ADT/StringExtras.h"
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::model;

namespace {

/// A file of `header` and `dataBytes` bytes.
std::string file(const std::string &header, size_t dataBytes) {
  uint64_t length = header.size();
  std::string bytes(reinterpret_cast<char *>(&length), 8);
  return bytes + header + std::string(dataBytes, '\1');
}

Result<SafetensorsFile> read(const std::string &bytes) {
  return SafetensorsFile::read(llvm::MemoryBuffer::getMemBufferCopy(bytes),
                               "test");
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
  EXPECT_EQ(again->tensors().at("b").bytes,
            llvm::ArrayRef(bytes).take_front(4));
  EXPECT_EQ(again->tensors().at("a").bytes, llvm::ArrayRef(bytes).take_back(2));
  EXPECT_FALSE(writeSafetensors("/nonexistent/x", {}).ok());
  EXPECT_EQ(SafetensorsFile::open("/nonexistent/x").status().code(),
            ErrorCode::IoError);
}

} // namespace
