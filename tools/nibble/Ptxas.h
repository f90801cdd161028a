//===- nibble/Ptxas.h - CUDA's assembler, where there is one ----*- C++ -*-===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TOOLS_PTXAS_H
#define NIBBLE_TOOLS_PTXAS_H

#include "nibble/Status.h"
#include <optional>
#include <string>

namespace nibble::tool {

/// A ptxas of a CUDA toolkit, as a program of its own.
struct Ptxas {
  std::string path;
  /// Its name and version: `ptxas V13.0.88`.
  std::string name;

  /// The ptxas at `path`, or the one on PATH if that is empty: nothing if there
  /// is none there.
  static Result<std::optional<Ptxas>> find(const std::string &path);

  /// What it makes of PTX.
  struct Assembled {
    std::string cubin;
    int registers = 0;
    /// Stores to and loads from local memory, in bytes of a thread.
    int spilledBytes = 0;
  };
  /// Assembles `ptx`, one kernel's, for `target`; a CompileError holds what it
  /// prints.
  Result<Assembled> assemble(const std::string &ptx,
                             const std::string &target) const;
};

/// The text of a cubin's machine code (SASS) by the nvdisasm on PATH, nothing
/// if there is none there.
Result<std::optional<std::string>> disassemble(const std::string &cubin);

} // namespace nibble::tool

#endif // NIBBLE_TOOLS_PTXAS_H
