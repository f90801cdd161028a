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

/// The one loop that `tile` is computed from by element-wise operations.
static std::optional<Refusal> findLoop(Value tile, scf::ForOp &loop) {
  Operation *op = tile.getDefiningOp();
  if (auto found = dyn_cast_or_null<scf::ForOp>(op)) {
    if (loop && loop != found)
      return Refusal{op, "is a second loop before the store"};
    loop = found;
    return std::nullopt;
  }
  if (isa_and_nonnull<RoundOp, AddOp>(op)) {
    for (Value operand : op->getOperands())
      if (auto refusal = findLoop(operand, loop))
        return refusal;
    return std::nullopt;
  }
  if (isa_and_nonnull<BroadcastOp, LoadOp, SplatOp>(op))
    return std::nullopt; // computed at the accumulators' elements
  return Refusal{op ? op : tile.getParentBlock()->getParentOp(),
                 "stands between the product and the store"};
}

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
  SmallVector<StoreOp> stores;
  kernel.walk([&](StoreOp store) { stores.push_back(store); });
  if (stores.size() != 1)
    return Refusal{kernel, llvm::formatv("has {0} stores; the schedule takes "
                                         "one",
                                         stores.size())};
  plan.store = stores.front();
  if (plan.store->getParentOp() != kernel)
    return Refusal{plan.store, "is not at the top of the kernel"};
  if (plan.store.getTile().getType().getRank() != 2)
    return Refusal{plan.store, "stores a tile of one extent"};
  if (auto refusal = findLoop(plan.store.getTile(), plan.loop))
    return refusal;
  if (!plan.loop)
    return Refusal{plan.store, "stores what no loop over a product computes"};
  if (plan.loop.getNumResults() != 1)
    return Refusal{plan.loop, llvm::formatv("carries {0} values; the schedule "
                                            "takes one tile",
                                            plan.loop.getNumResults())};
  Value next = plan.loop.getBody()->getTerminator()->getOperand(0);
  plan.dot = next.getDefiningOp<DotOp>();
  if (!plan.dot || plan.dot.getAcc() != plan.loop.getRegionIterArg(0))
    return Refusal{plan.loop, "does not end in nibble.dot onto the tile that "
                              "it carries"};
  auto lhs = cast<TileType>(plan.dot.getLhs().getType());
  auto rhs = cast<TileType>(plan.dot.getRhs().getType());
  Type element = lhs.getElementType();
  if (element != rhs.getElementType() || !(element.isF16() || element.isBF16()))
    return Refusal{plan.dot, "multiplies tiles that are not both f16 or both "
                             "bf16"};
  plan.blockM = lhs.getDim(0);
  plan.blockK = lhs.getDim(1);
  plan.blockN = rhs.getDim(1);
  for (auto [what, extent] :
       {std::pair("rows", plan.blockM), std::pair("columns", plan.blockN),
        std::pair("steps over K", plan.blockK)})
    if (extent % 16)
      return Refusal{
          plan.dot,
          llvm::formatv("has {0} {1}, not a multiple of 16", extent, what)};
  if (!divideWarps(plan, warps))
    return Refusal{plan.dot,
                   llvm::formatv("gives {0} x {1}, which {2} warps cannot "
                                 "divide into parts of multiples of 16",
                                 plan.blockM, plan.blockN, warps)};
  int64_t accumulators = plan.blockM * plan.blockN / plan.threads();
  if (accumulators > maxAccumulators)
    return Refusal{plan.dot,
                   llvm::formatv("gives {0} accumulators a thread, more than "
                                 "{1}",
                                 accumulators, maxAccumulators)};
  if (plan.sharedBytes() > sharedBytes)
    return Refusal{plan.dot, llvm::formatv("needs {0} bytes of shared memory, "
                                           "more than {1}",
                                           plan.sharedBytes(), sharedBytes)};
  return std::nullopt;
}

std::string nibble::refusalOfMma(KernelOp kernel, int warps,
                                 int64_t sharedBytes) {
  MmaPlan plan;
  std::optional<Refusal> refusal = planMma(kernel, warps, sharedBytes, plan);
  if (!refusal)
    return std::string();
  return llvm::formatv("{0} {1}", refusal->op->getName(), refusal->reason);
}
