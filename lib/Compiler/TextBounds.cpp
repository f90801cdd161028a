//===- Compiler/TextBounds.cpp - Kernel text that nobody vouches for ------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See TextBounds.h.
//
//===----------------------------------------------------------------------===//

#include "Compiler/TextBounds.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"

using namespace nibble;
using namespace llvm;

static constexpr size_t maxBytes = size_t(1) << 18;
static constexpr int maxDepth = 64;

static bool isWord(char c) { return isAlnum(c) || c == '_' || c == '$'; }

namespace {
/// Walks over a text as MLIR's lexer would cut it: words, strings, comments
/// and single characters.
class Walk {
public:
  Walk(StringRef text, StringRef name) : rest(text), text(text), name(name) {}

  Status run() {
    if (text.size() > maxBytes)
      return refuse("a kernel's text has at most " + Twine(maxBytes) +
                    " bytes, and this has " + Twine(text.size()));
    Status status;
    while (status.ok() && !rest.empty())
      status = step();
    return status;
  }

private:
  Status refuse(const Twine &why) {
    size_t line = text.drop_back(rest.size()).count('\n') + 1;
    return Status(ErrorCode::CompileError,
                  (name + ":" + Twine(line) + ": " + why).str());
  }

  /// Takes white space, a comment or a token off the text.
  Status step() {
    char c = rest.front();
    if (isSpace(c)) {
      lineBroke |= c == '\n';
      rest = rest.drop_front();
      return Status();
    }
    if (rest.starts_with("//")) {
      rest = rest.drop_until([](char c) { return c == '\n'; });
      return Status();
    }
    if (depth == 0 && lineBroke && endsDefinition(c))
      defines = false;
    lineBroke = false;
    last = c;
    if (c == '"') {
      skipString();
      return Status();
    }
    if (isWord(c)) {
      StringRef word = rest.take_while(isWord);
      if (word == "affine_map" || word == "affine_set")
        return refuse("a kernel has no " + word);
      rest = rest.drop_front(word.size());
      return Status();
    }
    if (c == '!' || c == '#')
      return stepAlias();
    if (rest.consume_front("->"))
      return Status();
    if (StringRef("([{<").contains(c) && ++depth > maxDepth)
      return refuse("brackets are nested more than " + Twine(maxDepth) +
                    " deep");
    // `>` may also be part of a comparison, so that closing is no error here.
    if (StringRef(")]}>").contains(c) && depth > 0)
      --depth;
    rest = rest.drop_front();
    return Status();
  }

  void skipString() {
    rest = rest.drop_front();
    while (!rest.empty() && rest.front() != '"')
      rest = rest.substr(rest.front() == '\\' ? 2 : 1);
    rest = rest.substr(1);
  }

  /// A type or attribute: the use of an alias, its definition, or one that
  /// belongs to a dialect (its name has a dot).
  Status stepAlias() {
    rest = rest.drop_front();
    StringRef word =
        rest.take_while([](char c) { return isWord(c) || c == '.'; });
    rest = rest.drop_front(word.size());
    if (word.empty() || word.contains('.') || rest.starts_with("<"))
      return Status();
    StringRef after = rest.ltrim();
    if (depth == 0 && after.starts_with("=")) {
      defines = true;
      last = '=';
      rest = after.drop_front();
      return Status();
    }
    if (defines)
      return refuse("an alias names the alias '" + word +
                    "'; an alias is written out");
    return Status();
  }

  /// For the first token of a line outside brackets, which begins with `c`:
  /// true unless it goes on with what the line before began.
  bool endsDefinition(char c) const {
    bool begins = isWord(c) || StringRef("!#%\"").contains(c);
    return begins && !StringRef("=:,-").contains(last);
  }

  StringRef rest;
  StringRef text, name;
  int depth = 0;
  /// The first character of the token before.
  char last = 0;
  bool lineBroke = false;
  /// Inside the definition of an alias.
  bool defines = false;
};
} // namespace

Status nibble::checkTextBounds(StringRef text, StringRef name) {
  return Walk(text, name).run();
}
