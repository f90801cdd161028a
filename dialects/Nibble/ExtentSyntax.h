//===- Nibble/ExtentSyntax.h - Reading and writing extents ----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The parsers and printers that attributes, types and operations share.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_DIALECT_EXTENTSYNTAX_H
#define NIBBLE_DIALECT_EXTENTSYNTAX_H

#include "Nibble/Nibble.h"

namespace nibble::ir {

/// Reads `a * (b + 2) / c` and the like.
mlir::ParseResult parseExtent(mlir::AsmParser &parser, ExtentAttr &extent);

/// Reads a declaration: NAME [multiple_of EXTENT] [one_of [1, 2, ...]].
mlir::ParseResult parseParam(mlir::AsmParser &parser, ParamAttr &param);
void printParam(mlir::AsmPrinter &printer, ParamAttr param);

/// Reads a declaration: NAME one_of [TYPE, ...].
mlir::ParseResult parseTypeParam(mlir::AsmParser &parser, TypeParamAttr &param);
void printTypeParam(mlir::AsmPrinter &printer, TypeParamAttr param);

/// Reads EXTENT by EXTENT.
mlir::ParseResult parseGridDim(mlir::AsmParser &parser, GridDimAttr &dim);
void printGridDim(mlir::AsmPrinter &printer, GridDimAttr dim);

} // namespace nibble::ir

#endif // NIBBLE_DIALECT_EXTENTSYNTAX_H
