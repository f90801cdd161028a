//===- Model/Json.cpp - JSON from files that nobody vouches for -----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Json.h.
//
//===----------------------------------------------------------------------===//

#include "Model/Json.h"
#include "Support/CLocale.h"
#include "Support/Files.h"
#include "llvm/ADT/StringSet.h"

using namespace nibble;
using namespace llvm;

static constexpr size_t maxDepth = 64;
/// A value takes the parser some 50 bytes, and a file one or two.
static constexpr size_t maxValues = size_t(1) << 22;
static constexpr uint64_t maxFileBytes = 100'000'000;

static Status invalid(const Twine &message) {
  return Status(ErrorCode::InvalidFile, message.str());
}

/// The end of the string whose opening quote is at `at`, behind its closing
/// quote; text.size() if there is none.
static size_t endOfString(StringRef text, size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at)
    if (text[at] == '\\')
      ++at;
  return std::min(at + 1, text.size());
}

/// Walks over brackets and strings alone; everything else is the parser's.
static Status checkBounds(StringRef text) {
  SmallVector<StringSet<>> open; // keys of each open object (or list)
  size_t values = 1;
  for (size_t at = 0; at < text.size(); ++at) {
    char c = text[at];
    values += c == ',' || c == '{' || c == '[';
    if (values > maxValues)
      return invalid("JSON has more than " + Twine(maxValues) + " values");
    if (c == '{' || c == '[') {
      if (open.size() == maxDepth)
        return invalid("JSON is nested more than " + Twine(maxDepth) + " deep");
      open.emplace_back();
    } else if (c == '}' || c == ']') {
      if (!open.empty())
        open.pop_back();
    } else if (c == '"') {
      size_t end = endOfString(text, at);
      StringRef string = text.slice(at, end);
      at = end - 1;
      if (!text.substr(end).ltrim().starts_with(":") || open.empty())
        continue;
      // Two spellings of one key ("a", "\u0061") are one key.
      Expected<json::Value> value = json::parse(string);
      if (!value) {
        consumeError(value.takeError());
        continue; // the parser says what is wrong
      }
      std::string key = value->getAsString().value_or("").str();
      if (!open.back().insert(key).second)
        return invalid("JSON key '" + key + "' is given twice");
    }
  }
  return Status();
}

Result<json::Object> model::readJsonFile(const std::string &path) {
  Result<std::string> text = readFile(path, maxFileBytes);
  if (!text.ok())
    return text.status();
  Result<json::Object> object = parseJsonObject(*text);
  return object.ok() ? std::move(object)
                     : Result<json::Object>(object.status().withContext(path));
}

Result<json::Object> model::parseJsonObject(StringRef text) {
  if (Status status = checkBounds(text); !status.ok())
    return status;
  CLocale locale;
  Expected<json::Value> value = json::parse(text);
  if (!value)
    return invalid("JSON does not parse: " + toString(value.takeError()));
  json::Object *object = value->getAsObject();
  if (!object)
    return invalid("JSON is not an object");
  return std::move(*object);
}
