//===- Conversion/Product.cpp - The product in a kernel -------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Product.h.
//
//===----------------------------------------------------------------------===//

#include "Conversion/Product.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::ir;

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

std::optional<Refusal> nibble::matchProduct(KernelOp kernel, Product &product) {
  SmallVector<StoreOp> stores;
  kernel.walk([&](StoreOp store) { stores.push_back(store); });
  if (stores.size() != 1)
    return Refusal{kernel, llvm::formatv("has {0} stores; the schedule takes "
                                         "one",
                                         stores.size())};
  product.store = stores.front();
  if (product.store->getParentOp() != kernel)
    return Refusal{product.store, "is not at the top of the kernel"};
  if (product.store.getTile().getType().getRank() != 2)
    return Refusal{product.store, "stores a tile of one extent"};
  if (auto refusal = findLoop(product.store.getTile(), product.loop))
    return refusal;
  if (!product.loop)
    return Refusal{product.store,
                   "stores what no loop over a product computes"};
  if (product.loop.getNumResults() != 1)
    return Refusal{product.loop,
                   llvm::formatv("carries {0} values; the schedule "
                                 "takes one tile",
                                 product.loop.getNumResults())};
  Value next = product.loop.getBody()->getTerminator()->getOperand(0);
  product.dot = next.getDefiningOp<DotOp>();
  if (!product.dot || product.dot.getAcc() != product.loop.getRegionIterArg(0))
    return Refusal{product.loop,
                   "does not end in nibble.dot onto the tile that "
                   "it carries"};
  auto lhs = cast<TileType>(product.dot.getLhs().getType());
  auto rhs = cast<TileType>(product.dot.getRhs().getType());
  Type element = lhs.getElementType();
  if (element != rhs.getElementType() || !(element.isF16() || element.isBF16()))
    return Refusal{product.dot,
                   "multiplies tiles that are not both f16 or both "
                   "bf16"};
  return std::nullopt;
}

std::string nibble::refusalText(const std::optional<Refusal> &refusal) {
  if (!refusal)
    return std::string();
  return llvm::formatv("{0} {1}", refusal->op->getName(), refusal->reason);
}

LogicalResult nibble::emitRefusal(StringRef schedule, const Refusal &refusal) {
  return refusal.op->emitError()
         << "the schedule " << schedule
         << " refuses this kernel: " << refusal.op->getName() << " "
         << refusal.reason;
}
