//===- nibble/Export.h - What the shared library exports ------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_EXPORT_H
#define NIBBLE_EXPORT_H

/// Everything else in libnibble.so is hidden, LLVM and MLIR above all.
#define NIBBLE_EXPORT __attribute__((visibility("default")))

#endif // NIBBLE_EXPORT_H
