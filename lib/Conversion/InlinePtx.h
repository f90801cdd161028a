//===- Conversion/InlinePtx.h - PTX that NVVM has no operation for --------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Instructions as text: where NVVM has no operation for a form of them, or LLVM
// would move what must stay where it is.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_CONVERSION_INLINEPTX_H
#define NIBBLE_CONVERSION_INLINEPTX_H

#include "Conversion/ValueBuilder.h"
#include <string>

namespace nibble {

/// Operands `first` to `first + count - 1` as a list: "$0, $1".
std::string operandList(size_t first, size_t count);

/// The PTX `text` on `operands`, with LLVM's `constraints` for the results and
/// them. With `stays` it is not moved, merged or left out.
mlir::LLVM::InlineAsmOp inlinePtx(ValueBuilder &b, mlir::TypeRange results,
                                  mlir::ValueRange operands,
                                  const std::string &text,
                                  const std::string &constraints, bool stays);

/// What `text` makes of `held` (i32 or f32) in place, where it is built. Held
/// values are operands 0 to n - 1, `inputs` those from n on, of `constraints`.
mlir::SmallVector<mlir::Value>
changeByPtx(ValueBuilder &b, mlir::ValueRange held, const std::string &text,
            mlir::ValueRange inputs = {}, const std::string &constraints = "");

/// Waits until the kernel before this one on its stream has ended and what it
/// wrote is seen. NVVM's operation says that it touches no memory, and LLVM
/// moves loads across it.
void waitForKernelBefore(ValueBuilder &b);

} // namespace nibble

#endif // NIBBLE_CONVERSION_INLINEPTX_H
