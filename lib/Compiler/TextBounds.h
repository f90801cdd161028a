//===- Compiler/TextBounds.h - Kernel text that nobody vouches for --------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// MLIR's parser trusts its text: it calls itself for every bracket, and types
// that are aliases of aliases are small in memory and without end in print.
// These bounds are checked before it sees a kernel.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_COMPILER_TEXTBOUNDS_H
#define NIBBLE_COMPILER_TEXTBOUNDS_H

#include "nibble/Status.h"
#include "llvm/ADT/StringRef.h"

namespace nibble {

/// Refuses a text of more than 256 KiB, brackets more than 64 deep, an alias
/// (`!name = ...`) that names another, and affine maps and sets, which kernels
/// have no use for. Errors are CompileError and begin with `name:line: `.
Status checkTextBounds(llvm::StringRef text, llvm::StringRef name);

} // namespace nibble

#endif // NIBBLE_COMPILER_TEXTBOUNDS_H
