//===- Model/NamePattern.h - Which layers a setting speaks of -------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checkpoints name layers by whole names, by parts of them, and by regular
// expressions of Python. The latter become POSIX's, which LLVM matches without
// backtracking; what POSIX does not have is refused.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_MODEL_NAMEPATTERN_H
#define NIBBLE_MODEL_NAMEPATTERN_H

#include "nibble/Status.h"
#include "llvm/ADT/StringRef.h"
#include <string>

namespace nibble::model {

/// A pattern for names of layers.
class NamePattern {
public:
  /// The name `text` and no other.
  static NamePattern whole(llvm::StringRef text) { return {Whole, text}; }
  /// Names that have `text` as one or several of the parts that dots set apart:
  /// `gate` is part of `mlp.gate`, and no part of `mlp.gate_proj`.
  static NamePattern part(llvm::StringRef text) { return {Part, text}; }
  /// Names that begin with what Python's expression `text` matches; an error,
  /// InvalidFile or Unsupported, if it is none or none of POSIX's.
  static Result<NamePattern> expression(llvm::StringRef text);

  bool matches(llvm::StringRef name) const;
  /// As the checkpoint spells it.
  const std::string &text() const { return spelled; }

private:
  enum Kind { Whole, Part, Expression };
  NamePattern(Kind kind, llvm::StringRef text)
      : kind(kind), spelled(text), posix(text) {}
  Kind kind;
  std::string spelled, posix;
};

} // namespace nibble::model

#endif // NIBBLE_MODEL_NAMEPATTERN_H
