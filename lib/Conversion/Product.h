//===- Conversion/Product.h - The product in a kernel ---------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the schedules for tensor cores look for: one store of what one loop
// over a product computes. Whether a kernel matches is a question of its own,
// which a caller asks without building anything.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_CONVERSION_PRODUCT_H
#define NIBBLE_CONVERSION_PRODUCT_H

#include "Nibble/Nibble.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace nibble {

/// One store of element-wise operations on a sum of products.
struct Product {
  ir::StoreOp store;
  mlir::scf::ForOp loop;
  /// The loop ends in it, onto the tile that the loop carries.
  ir::DotOp dot;
};

/// A refusal: the operation that stands in the way, and why.
struct Refusal {
  mlir::Operation *op;
  std::string reason;
};

/// The product of `kernel`, of two tiles of f16 or of bf16; a refusal if the
/// kernel is anything else.
std::optional<Refusal> matchProduct(ir::KernelOp kernel, Product &product);

/// `refusal` as text; empty if there is none.
std::string refusalText(const std::optional<Refusal> &refusal);

/// Emits `refusal` by `schedule` as an error on its operation.
mlir::LogicalResult emitRefusal(llvm::StringRef schedule,
                                const Refusal &refusal);

} // namespace nibble

#endif // NIBBLE_CONVERSION_PRODUCT_H
