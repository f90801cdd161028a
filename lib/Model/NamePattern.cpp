//===- Model/NamePattern.cpp - Which layers a setting speaks of -----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See NamePattern.h.
//
//===----------------------------------------------------------------------===//

#include "Model/NamePattern.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Regex.h"

using namespace nibble;
using namespace nibble::model;
using llvm::StringRef;

/// What stands within brackets for a class of characters such as \d; empty if
/// `letter` names none.
static StringRef membersOf(char letter) {
  switch (letter) {
  case 'd':
    return "0-9";
  case 'w':
    return "a-zA-Z0-9_";
  case 's':
    return " \t\n\r\f\v";
  default:
    return "";
  }
}

static Status unsupported(StringRef pattern, StringRef what) {
  return Status(ErrorCode::Unsupported,
                ("the pattern '" + pattern + "' has '" + what +
                 "'; nibble takes what POSIX's expressions have, \\d, \\w, \\s "
                 "and (?:")
                    .str());
}

/// Python's expression `pattern` as POSIX's.
static Result<std::string> toPosix(StringRef pattern) {
  std::string posix;
  bool inBrackets = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    StringRef rest = pattern.substr(i);
    char c = pattern[i];
    if (c == '\\' && rest.size() > 1) {
      char escaped = pattern[++i];
      StringRef members = membersOf(escaped);
      if (!members.empty())
        posix += inBrackets ? members.str() : "[" + members.str() + "]";
      else if (llvm::isAlnum(escaped) ||
               (inBrackets && StringRef("[]^-").contains(escaped)))
        return unsupported(pattern, rest.take_front(2));
      else if (inBrackets)
        posix += escaped; // where a backslash stands for itself
      else
        posix += {'\\', escaped};
      continue;
    }
    if (inBrackets) {
      inBrackets = c != ']';
    } else if (c == '[') {
      inBrackets = true;
      // A first ] or ^] is a member.
      for (StringRef first : {"[^]", "[]"})
        if (rest.starts_with(first)) {
          posix += first.drop_back();
          i += first.size() - 1;
          c = ']';
          break;
        }
    } else if (rest.starts_with("(?:")) {
      i += 2;
    } else if (rest.starts_with("(?") || rest.starts_with("*?") ||
               rest.starts_with("+?") || rest.starts_with("??")) {
      return unsupported(pattern, rest.take_front(2));
    }
    posix += c;
  }
  return posix;
}

/// Refuses what would take LLVM's matcher without bound in time or memory: long
/// patterns, back-references and repetitions of repetitions, of which it makes
/// copies.
static Status checkCost(StringRef pattern) {
  auto refuse = [&](const char *why) {
    return Status(ErrorCode::InvalidFile,
                  "a pattern " + std::string(why) + ": '" +
                      pattern.take_front(100).str() + "'");
  };
  if (pattern.size() > 1000)
    return refuse("of more than 1000 bytes");
  if (pattern.contains('\0'))
    return refuse("with a zero byte");
  uint64_t copies = 1;
  for (size_t at = 0; at < pattern.size(); ++at) {
    char next = at + 1 < pattern.size() ? pattern[at + 1] : '\0';
    if (pattern[at] == '\\') {
      if (next >= '1' && next <= '9')
        return refuse("with a back-reference");
      ++at;
    } else if (pattern[at] == '{') {
      // The larger of {n,m}, or of {n} and {n,}; the matcher allows 255.
      uint64_t most = 1, number = 0;
      for (char c :
           pattern.substr(at + 1).take_until([](char c) { return c == '}'; })) {
        number = llvm::isDigit(c)
                     ? std::min<uint64_t>(number * 10 + c - '0', 256)
                     : 0;
        most = std::max(most, number);
      }
      copies *= most;
      if (copies * pattern.size() > 100'000)
        return refuse("with too many repetitions");
    }
  }
  return Status();
}

Result<NamePattern> NamePattern::expression(StringRef text) {
  if (Status status = checkCost(text); !status.ok())
    return status;
  Result<std::string> posix = toPosix(text);
  if (!posix.ok())
    return posix.status();
  NamePattern result(Expression, text);
  result.posix = "^(" + *posix + ")";
  std::string error;
  if (!llvm::Regex(result.posix).isValid(error))
    return Status(ErrorCode::InvalidFile,
                  ("the pattern '" + text + "' is none: " + error).str());
  return result;
}

bool NamePattern::matches(StringRef name) const {
  switch (kind) {
  case Whole:
    return name == posix;
  case Part:
    return ("." + name + ".").str().find("." + posix + ".") !=
           std::string::npos;
  case Expression:
    return llvm::Regex(posix).match(name);
  }
  return false;
}
