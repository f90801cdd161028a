//===- Conversion/MmaPackedPlan.cpp - Packed weights on tensor cores ------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See MmaPackedPlan.h.
//
//===----------------------------------------------------------------------===//

#include "Conversion/MmaPackedPlan.h"
#include "Conversion/Schedule.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::ir;

/// The weights: dequantized codes whose words, scales and zero points each
/// come from a matrix.
static std::optional<Refusal> matchWeights(MmaPackedPlan &plan) {
  Product &product = plan.product;
  Value induction = product.loop.getInductionVar();
  Value column = product.store.getCoordinates()[1];
  auto refuse = [](Operation *op, const char *reason) {
    return Refusal{op, reason};
  };
  Operation *rhs = product.dot.getRhs().getDefiningOp();
  auto dequantize = dyn_cast_or_null<DequantizeOp>(rhs);
  if (!dequantize)
    return refuse(product.dot, "multiplies with what is not dequantized");
  auto codes = dequantize.getCodes().getDefiningOp<UnpackOp>();
  auto words = codes ? codes.getWords().getDefiningOp<LoadOp>() : LoadOp();
  if (!words || codes.getAxis() != 0)
    return refuse(dequantize, "takes codes that are not unpacked along rows "
                              "from loaded words");
  auto zeros = dequantize.getZeros().getDefiningOp<UnpackOp>();
  auto zeroWords =
      zeros ? zeros.getWords().getDefiningOp<GatherOp>() : GatherOp();
  auto scales = dequantize.getScales().getDefiningOp<GatherOp>();
  if (!scales || !zeroWords || scales.getRows() != zeroWords.getRows())
    return refuse(dequantize, "takes scales and zero points that are not "
                              "gathered by the same rows");
  if (!scales.getTile().getType().getElementType().isF16())
    return refuse(scales, "reads scales that are not f16, which the packed "
                          "order has not");
  if (words.getCoordinates()[0] != induction ||
      words.getCoordinates()[1] != column || scales.getColumn() != column ||
      zeroWords.getColumn() != column)
    return refuse(words, "reads another tile than the loop's and the store's");
  plan.codes = cast<BlockArgument>(words.getMatrix());
  plan.scales = cast<BlockArgument>(scales.getMatrix());
  plan.bits =
      cast<CodeType>(
          mlir::cast<TileType>(codes.getCodes().getType()).getElementType())
          .getBits();
  if (auto given = scales.getRows().getDefiningOp<LoadOp>())
    plan.permutation = cast<BlockArgument>(given.getMatrix());
  else if (!scales.getRows().getDefiningOp<RowGroupOp>())
    return refuse(scales, "gathers by rows that are neither computed nor read");
  return std::nullopt;
}

/// The activations: loaded, perhaps rounded.
static std::optional<Refusal> matchActivations(MmaPackedPlan &plan) {
  Product &product = plan.product;
  Value lhs = product.dot.getLhs();
  if (auto round = lhs.getDefiningOp<RoundOp>())
    lhs = round.getValue();
  auto load = lhs.getDefiningOp<LoadOp>();
  if (!load || load.getMatrix().getType().getRank() != 2)
    return Refusal{product.dot, "multiplies rows that are not loaded"};
  if (load.getCoordinates()[0] != product.store.getCoordinates()[0] ||
      load.getCoordinates()[1] != product.loop.getInductionVar())
    return Refusal{load, "reads another tile than the loop's and the store's"};
  plan.x = cast<BlockArgument>(load.getMatrix());
  return std::nullopt;
}

std::optional<Refusal> nibble::planMmaPacked(KernelOp kernel,
                                             const MmaPackedOptions &options,
                                             MmaPackedPlan &plan) {
  auto packed = kernel->getAttrOfType<IntegerAttr>(packedAttrName);
  if (!packed)
    return Refusal{kernel, "is not specialised for packed weights"};
  if (auto refusal = matchProduct(kernel, plan.product))
    return refusal;
  if (auto refusal = matchWeights(plan))
    return refusal;
  if (auto refusal = matchActivations(plan))
    return refusal;
  DotOp dot = plan.product.dot;
  auto lhs = cast<TileType>(dot.getLhs().getType());
  plan.groupRows = packed.getInt();
  plan.blockM = lhs.getDim(0);
  plan.blockK = lhs.getDim(1);
  plan.blockN = cast<TileType>(dot.getRhs().getType()).getDim(1);
  plan.warps = options.warps;
  plan.stages = options.stages;
  plan.prefetch = options.prefetch;
  plan.wgmma = options.wgmma;
  plan.bf16 = lhs.getElementType().isBF16();
  auto x = cast<MatrixType>(plan.x.getType());
  ExtentAttr K = x.getShape()[1];
  int64_t knownK = kernel.knownDivisor(K);
  bool hasPieces = kernel.hasWholePieces(plan.x) &&
                   x.getElementType() == lhs.getElementType();
  if (options.held) {
    if (!plan.permutation)
      return Refusal{dot, "holds x, whose columns are not gathered"};
    if (!hasPieces ||
        kernel.getArgAlignment(plan.permutation.getArgNumber()) % 16 != 0)
      return Refusal{dot,
                     "holds x, where x or g_idx is not known to have whole "
                     "pieces of 16 bytes of the product's type"};
    std::optional<int64_t> rows = kernel.knownMost(x.getShape()[0]),
                           columns = kernel.knownMost(K);
    if (!columns)
      return Refusal{dot, "holds x, of which no most columns are known"};
    plan.heldRows = std::min(plan.blockM, rows.value_or(plan.blockM));
    plan.heldColumns = *columns;
  }
  if (std::optional<std::string> why = plan.refusal(options.sharedBytes))
    return Refusal{dot, *why};
  ExtentAttr N = plan.product.store.getMatrix().getType().getShape()[1];
  plan.wholeSteps = knownK % MmaPackedPlan::warpRows == 0;
  plan.wholeK = knownK % plan.blockK == 0;
  plan.wholeN = kernel.knownDivisor(N) % plan.blockN == 0;
  plan.copiesX = !plan.permutation && hasPieces;
  return std::nullopt;
}
