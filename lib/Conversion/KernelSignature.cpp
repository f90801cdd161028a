//===- Conversion/KernelSignature.cpp - What a compiled kernel is passed ---===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See KernelSignature.h.
//
//===----------------------------------------------------------------------===//

#include "Conversion/KernelSignature.h"
#include "Nibble/Nibble.h"

using namespace nibble;
using namespace nibble::ir;

KernelSignature nibble::signatureOf(KernelOp kernel) {
  KernelSignature words;
  for (mlir::BlockArgument argument : kernel.getBody().getArguments()) {
    std::string name = kernel.getArgName(argument.getArgNumber()).str();
    auto type = mlir::cast<MatrixType>(argument.getType());
    words.push_back({KernelWord::Address, name});
    if (type.getRank() == 2)
      words.push_back({KernelWord::RowStride, name});
    if (type.getStrided())
      words.push_back({KernelWord::ColumnStride, name});
  }
  for (ParamAttr size : kernel.getSizes().getAsRange<ParamAttr>())
    words.push_back({KernelWord::Size, size.getName().str()});
  return words;
}
