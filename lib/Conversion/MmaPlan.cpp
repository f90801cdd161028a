//===- Conversion/MmaPlan.cpp - How tensor cores compute a kernel ---------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See MmaPlan.h.
//
//===----------------------------------------------------------------------===//

#include "Conversion/MmaPlan.h"
#include "Conversion/Schedule.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::ir;

/// Accumulators of a thread, in registers; more would spill with the operands.
static constexpr int64_t maxAccumulators = 160;

/// The division into `warps` parts for which a step reads the least from
/// shared memory: each warp reads its rows of one operand and its columns of
/// the other.
static bool divideWarps(MmaPlan &plan, int warps) {
  int64_t least = 0;
  for (int64_t rows = 1; rows <= warps; ++rows) {
    if (warps % rows || plan.blockM % (rows * 16) ||
        plan.blockN % (warps / rows * 16))
      continue;
    int64_t columns = warps / rows;
    int64_t read = plan.blockM / rows + plan.blockN / columns;
    if (least && read >= least)
      continue;
    least = read;
    plan.warpsM = rows;
    plan.warpsN = columns;
  }
  return least != 0;
}

std::optional<Refusal> nibble::planMma(KernelOp kernel, int warps,
                                       int64_t sharedBytes, MmaPlan &plan) {
  if (auto refusal = matchProduct(kernel, plan.product))
    return refusal;
  DotOp dot = plan.product.dot;
  auto lhs = cast<TileType>(dot.getLhs().getType());
  auto rhs = cast<TileType>(dot.getRhs().getType());
  plan.blockM = lhs.getDim(0);
  plan.blockK = lhs.getDim(1);
  plan.blockN = rhs.getDim(1);
  for (auto [what, extent] :
       {std::pair("rows", plan.blockM), std::pair("columns", plan.blockN),
        std::pair("steps over K", plan.blockK)})
    if (extent % 16)
      return Refusal{dot, llvm::formatv("has {0} {1}, not a multiple of 16",
                                        extent, what)};
  if (!divideWarps(plan, warps))
    return Refusal{dot, llvm::formatv("gives {0} x {1}, which {2} warps cannot "
                                      "divide into parts of multiples of 16",
                                      plan.blockM, plan.blockN, warps)};
  int64_t accumulators = plan.blockM * plan.blockN / plan.threads();
  if (accumulators > maxAccumulators)
    return Refusal{dot,
                   llvm::formatv("gives {0} accumulators a thread, more than "
                                 "{1}",
                                 accumulators, maxAccumulators)};
  if (plan.sharedBytes() > sharedBytes)
    return Refusal{dot, llvm::formatv("needs {0} bytes of shared memory, "
                                      "more than {1}",
                                      plan.sharedBytes(), sharedBytes)};
  return std::nullopt;
}

std::string nibble::refusalOfMma(KernelOp kernel, int warps,
                                 int64_t sharedBytes) {
  MmaPlan plan;
  return refusalText(planMma(kernel, warps, sharedBytes, plan));
}
