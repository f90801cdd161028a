//===- Transforms/KernelConfig.cpp - What a kernel is compiled for --------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The text form of configurations.
//
//===----------------------------------------------------------------------===//

#include "Transforms/KernelConfig.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/StringSet.h"

using namespace nibble;

std::string KernelConfig::str() const {
  std::string text;
  auto add = [&text](const std::string &name, const char *sign,
                     const std::string &value) {
    text += (text.empty() ? "" : " ") + name + sign + value;
  };
  for (const auto &[name, value] : params)
    add(name, "=", std::to_string(value));
  for (const auto &[name, type] : types)
    add(name, "=", type);
  for (const auto &[name, multiple] : multiples)
    add(name, "%", std::to_string(multiple));
  for (const auto &[name, number] : most)
    add(name, "<=", std::to_string(number));
  for (const auto &[name, bytes] : alignments)
    add(name, "@", std::to_string(bytes));
  add("warps", "=", std::to_string(warps));
  add("stages", "=", std::to_string(stages));
  if (packed)
    add("packed", "=", std::to_string(packed));
  const KernelConfig ordinary;
  auto addPipeline = [&](const char *name, int value, int usual) {
    if (packed || value != usual)
      add(name, "=", std::to_string(value));
  };
  addPipeline("prefetch", prefetch, ordinary.prefetch);
  addPipeline("splits", splits, ordinary.splits);
  addPipeline("wgmma", wgmma, ordinary.wgmma);
  addPipeline("overlap", overlap, ordinary.overlap);
  if (held)
    add("held", "=", "1");
  return text;
}

Result<KernelConfig> KernelConfig::parse(std::string_view text) {
  KernelConfig config;
  llvm::SmallVector<llvm::StringRef> words;
  llvm::SplitString(llvm::StringRef(text.data(), text.size()), words, " ,\t\n");
  llvm::StringSet<> given; // names with their signs
  for (llvm::StringRef word : words) {
    auto refuse = [&](const char *why) {
      return Status(ErrorCode::InvalidArgument,
                    "configuration word '" + word.str() + "' " + why);
    };
    size_t at = word.find_first_of("=%@<");
    bool whole = at != llvm::StringRef::npos && at != 0;
    llvm::StringRef value = whole ? word.drop_front(at + 1) : "";
    if (whole && word[at] == '<')
      whole = value.consume_front("=");
    if (!whole || value.empty())
      return refuse(
          "is not NAME=VALUE, SIZE%MULTIPLE, SIZE<=MOST or MATRIX@BYTES");
    std::string name = word.take_front(at).str();
    int64_t number;
    bool isNumber = !value.getAsInteger(10, number);
    char sign = word[at];
    if (!given.insert(word.take_front(at + 1)).second)
      return refuse("is given twice");
    if (!isNumber && (sign != '=' || llvm::isDigit(value[0]) ||
                      value[0] == '+' || value[0] == '-'))
      return refuse("does not end in a whole number of 64 bits");
    if (!isNumber) {
      config.types[name] = value.str();
      continue;
    }
    if (sign == '=' &&
        (name == "warps" || name == "stages" || name == "prefetch")) {
      int64_t least = name == "prefetch" ? 0 : 1;
      if (number < least || number > 32)
        return refuse(least ? "is not in [1, 32]" : "is not in [0, 32]");
      (name == "warps"    ? config.warps
       : name == "stages" ? config.stages
                          : config.prefetch) = static_cast<int>(number);
      continue;
    }
    if (sign == '=' && name == "packed") {
      if (number < 1)
        return refuse("is no number of rows");
      config.packed = number;
      continue;
    }
    if (sign == '=' && name == "splits") {
      if (number < 1 || number > 8 || (number & (number - 1)))
        return refuse("is not 1, 2, 4 or 8");
      config.splits = static_cast<int>(number);
      continue;
    }
    if (sign == '=' &&
        (name == "overlap" || name == "wgmma" || name == "held")) {
      if (number != 0 && number != 1)
        return refuse("is not 0 or 1");
      if (name == "overlap")
        config.overlap = static_cast<int>(number);
      else
        (name == "wgmma" ? config.wgmma : config.held) = number == 1;
      continue;
    }
    if (sign != '=' && number < 1)
      return refuse("does not end in a positive number");
    if (sign != '=' && number > int64_t(1) << 31) // products of two fit
      return refuse("ends in a number above 2^31");
    auto &group = sign == '='   ? config.params
                  : sign == '%' ? config.multiples
                  : sign == '<' ? config.most
                                : config.alignments;
    group[name] = number;
  }
  return config;
}
