//===- Compiler/Inspection.h - Stages to files and back -------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// NIBBLE_DUMP writes what stages leave to files, and NIBBLE_OVERRIDE takes
// files in the place of what stages leave (docs/environment.md). Both name a
// kernel's folder alike, so that a dumped file is edited and given back:
//
//   <folder>/<kernel>-<16 digits of the request>/<stage>.<ending>
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_COMPILER_INSPECTION_H
#define NIBBLE_COMPILER_INSPECTION_H

#include "nibble/Compiler.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <optional>

namespace nibble {

/// What the environment asks about the stages of one request.
class Inspection {
public:
  explicit Inspection(const CompileRequest &request);

  /// True if any stage is to be dumped or overridden.
  bool isActive() const {
    return !dumpFolder.empty() || !overrideFolder.empty();
  }
  /// True if stage `stage` is to be dumped.
  bool dumps(std::string_view stage) const;
  /// Writes `text`, which stage `stage` left. The first that cannot be
  /// written is said.
  void dump(std::string_view stage, std::string_view text) const;

  /// A text that takes the place of what a stage left.
  struct Override {
    std::string path, text;
  };
  /// The text for stage `stage`, if there is a file.
  std::optional<Override> findOverride(std::string_view stage) const;

private:
  /// The folders of this request's files; empty without NIBBLE_DUMP, and if
  /// NIBBLE_OVERRIDE has no folder for it.
  std::string dumpFolder, overrideFolder;
};

} // namespace nibble

#endif // NIBBLE_COMPILER_INSPECTION_H
