//===- Jit/CacheEntry.cpp - One file of the cache -------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See CacheEntry.h.
//
//===----------------------------------------------------------------------===//

#include "Jit/CacheEntry.h"
#include "Support/CLocale.h"
#include "Support/Digest.h"
#include "llvm/Support/raw_ostream.h"
#include <map>

using namespace nibble;
using namespace llvm;

static constexpr StringRef magic = "nibble-entry-1\n";

std::string nibble::encodeEntry(const std::string &key,
                                const CacheEntry &entry) {
  CLocale locale;
  // In order, and not a copy of `about`: LLVM's maps cannot be copied where
  // memory may end.
  std::map<StringRef, const json::Value *> about;
  for (const auto &[name, value] : entry.about)
    about[name] = &value;
  json::Value ownKey = key;
  about["key"] = &ownKey;
  std::string body;
  raw_string_ostream out(body);
  json::OStream line(out);
  line.object([&] {
    for (const auto &[name, value] : about)
      line.attribute(name, *value);
  });
  out << "\n" << entry.code;
  return (magic + digestOf({body}) + "\n" + body).str();
}

Result<CacheEntry> nibble::decodeEntry(const std::string &key,
                                       StringRef bytes) {
  auto refuse = [](const char *why) {
    return Status(ErrorCode::InvalidFile, why);
  };
  if (!bytes.consume_front(magic))
    return refuse("it does not begin as an entry does");
  StringRef digest = bytes.take_front(digestLength);
  bytes = bytes.drop_front(digest.size());
  if (!bytes.consume_front("\n") || digestOf({bytes}) != digest)
    return refuse("its bytes have changed");
  auto [line, code] = bytes.split('\n');
  CLocale locale;
  Expected<json::Value> value = json::parse(line);
  if (!value) {
    consumeError(value.takeError());
    return refuse("its description is not JSON");
  }
  json::Object *about = value->getAsObject();
  if (!about || about->getString("key") != StringRef(key))
    return refuse("it is the entry of another name");
  return CacheEntry{std::move(*about), code.str()};
}
