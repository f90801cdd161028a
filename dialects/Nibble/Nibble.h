//===- Nibble/Nibble.h - The nibble dialect -------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dialect's types, attributes and operations. README.md beside this file
// explains a kernel written in it, op by op.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_DIALECT_NIBBLE_H
#define NIBBLE_DIALECT_NIBBLE_H

#include "Nibble/Extent.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "nibble/Codec.h"

#include "Nibble/NibbleDialect.h.inc"

#define GET_ATTRDEF_CLASSES
#include "Nibble/NibbleAttrs.h.inc"

#define GET_TYPEDEF_CLASSES
#include "Nibble/NibbleTypes.h.inc"

namespace nibble::ir {

/// Attribute of a specialised kernel whose weights are in the packed order
/// (lib/Layout/PackedOrder.h): the rows of a group there.
inline constexpr llvm::StringLiteral packedAttrName = "nibble.packed";
/// Attribute of a specialised kernel: what sizes are known to be at most.
inline constexpr llvm::StringLiteral mostAttrName = "nibble.most";

/// True when `type` is a tile whose element type passes `test`, or is still a
/// parameter of the kernel.
bool isTileOf(mlir::Type type, llvm::function_ref<bool(mlir::Type)> test);

/// True when `type` is a tile of floating-point elements (see isTileOf).
bool isFloatTile(mlir::Type type);

} // namespace nibble::ir

#define GET_OP_CLASSES
#include "Nibble/NibbleOps.h.inc"

#endif // NIBBLE_DIALECT_NIBBLE_H
