//===- Conversion/InlinePtx.cpp - PTX that NVVM has no operation for ------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See InlinePtx.h.
//
//===----------------------------------------------------------------------===//

#include "Conversion/InlinePtx.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace nibble;

std::string nibble::operandList(size_t first, size_t count) {
  std::string list;
  for (size_t i = 0; i < count; ++i)
    list += (i ? ", $" : "$") + std::to_string(first + i);
  return list;
}

LLVM::InlineAsmOp nibble::inlinePtx(ValueBuilder &b, TypeRange results,
                                    ValueRange operands,
                                    const std::string &text,
                                    const std::string &constraints,
                                    bool stays) {
  return b.create<LLVM::InlineAsmOp>(
      results, operands, text, constraints, /*has_side_effects=*/stays,
      /*is_align_stack=*/false, LLVM::tailcallkind::TailCallKind::None,
      LLVM::AsmDialectAttr(), ArrayAttr());
}

SmallVector<Value> nibble::changeByPtx(ValueBuilder &b, ValueRange held,
                                       const std::string &text,
                                       ValueRange inputs,
                                       const std::string &constraints) {
  SmallVector<std::string> parts;
  for (Value value : held)
    parts.push_back(value.getType().isF32() ? "=f" : "=r");
  if (!inputs.empty())
    parts.push_back(constraints);
  // A held value begins in its result's register.
  for (size_t i = 0; i < held.size(); ++i)
    parts.push_back(std::to_string(i));
  SmallVector<Value> operands(inputs), next;
  llvm::append_range(operands, held);
  SmallVector<Type> types(held.getTypes());
  Type result = LLVM::LLVMStructType::getLiteral(b.op().getContext(), types);
  auto changed =
      inlinePtx(b, result, operands, text, llvm::join(parts, ","), true);
  for (size_t i = 0; i < held.size(); ++i)
    next.push_back(b.create<LLVM::ExtractValueOp>(changed.getRes(),
                                                  static_cast<int64_t>(i)));
  return next;
}

void nibble::waitForKernelBefore(ValueBuilder &b) {
  inlinePtx(b, {}, {}, "griddepcontrol.wait;", "~{memory}", /*stays=*/true);
}
