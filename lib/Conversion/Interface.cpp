//===- Conversion/Interface.cpp - The interface of a kernel ---------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Interface.h.
//
//===----------------------------------------------------------------------===//

#include "Conversion/Interface.h"
#include "Nibble/Extent.h"
#include "Nibble/Nibble.h"

using namespace nibble;
using namespace nibble::ir;

static SizeExpression expressionOf(ExtentAttr attr) {
  SizeExpression result;
  result.text = attr.getText().str();
  attr.getExtent().forEachTerm(
      [&](Extent::Ratio ratio, const Extent::Powers &powers) {
        SizeExpression::Term term{ratio.numerator, ratio.denominator, {}};
        for (const auto &[name, power] : powers)
          term.powers.emplace_back(name, power);
        result.terms.push_back(std::move(term));
      });
  return result;
}

static DType dtypeOf(mlir::Type element) {
  if (element.isF16())
    return DType::F16;
  if (element.isBF16())
    return DType::BF16;
  return element.isF32() ? DType::F32 : DType::I32;
}

KernelInterface nibble::interfaceOf(KernelOp kernel) {
  KernelInterface result;
  for (mlir::BlockArgument argument : kernel.getBody().getArguments()) {
    unsigned index = argument.getArgNumber();
    auto type = mlir::cast<MatrixType>(argument.getType());
    KernelMatrix matrix;
    matrix.name = kernel.getArgName(index).str();
    matrix.type = dtypeOf(type.getElementType());
    for (ExtentAttr extent : type.getShape())
      matrix.shape.push_back(expressionOf(extent));
    matrix.strided = type.getStrided();
    matrix.alignment = kernel.getArgAlignment(index);
    matrix.written = llvm::any_of(argument.getUsers(), llvm::IsaPred<StoreOp>);
    result.matrices.push_back(std::move(matrix));
  }
  for (ParamAttr size : kernel.getSizes().getAsRange<ParamAttr>()) {
    KernelSize made;
    made.name = size.getName().str();
    made.multipleOf = size.getMultipleOf().asInteger().value_or(1);
    auto extent =
        ExtentAttr::get(kernel.getContext(), Extent::name(size.getName()));
    made.most = kernel.knownMost(extent).value_or(made.most);
    result.sizes.push_back(std::move(made));
  }
  for (GridDimAttr dim : kernel.getGrid().getAsRange<GridDimAttr>())
    result.grid.push_back(
        {expressionOf(dim.getSize()), dim.getBlock().asInteger().value_or(1)});
  return result;
}
