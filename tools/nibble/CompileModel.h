//===- nibble/CompileModel.h - Kernels ahead of time ------------*- C++ -*-===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TOOLS_COMPILEMODEL_H
#define NIBBLE_TOOLS_COMPILEMODEL_H

#include "nibble/Status.h"
#include <string>
#include <vector>

namespace nibble::tool {

/// What `nibble compile --model` is asked for.
struct ModelJob {
  /// The checkpoint, and its format's name; empty believes what it says.
  std::string folder, format;
  /// One layer; empty for all.
  std::string layer;
  /// Targets and types of x, each separated by commas.
  std::string targets, types;
  /// A ptxas; empty takes the one on PATH, if any, and `none` takes none.
  std::string ptxas;
  /// Files of results of tuning, to be put in with the kernels that they
  /// choose.
  std::vector<std::string> tuning;
  /// The file to write.
  std::string output;
};

/// Compiles all kernels that the layers may need into one file.
Status compileModel(const ModelJob &job);

} // namespace nibble::tool

#endif // NIBBLE_TOOLS_COMPILEMODEL_H
