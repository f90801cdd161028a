//===- Compiler/RequestKey.h - Names of compilations ----------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What requestKey() is made of.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_COMPILER_REQUESTKEY_H
#define NIBBLE_COMPILER_REQUESTKEY_H

#include "nibble/Compiler.h"

namespace nibble {

/// The MLIR text of `request`: its own, or the embedded kernel that it names;
/// empty if there is none of that name.
std::string_view kernelText(const CompileRequest &request);

/// The digest of every input of the code that `compiler` makes for `request`.
Result<std::string> requestDigest(const CompileRequest &request,
                                  std::string_view compiler);

} // namespace nibble

#endif // NIBBLE_COMPILER_REQUESTKEY_H
