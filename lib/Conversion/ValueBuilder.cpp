//===- Conversion/ValueBuilder.cpp - Builds each value once ---------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See ValueBuilder.h.
//
//===----------------------------------------------------------------------===//

#include "Conversion/ValueBuilder.h"
#include "mlir/IR/OperationSupport.h"

using namespace mlir;
using namespace nibble;

unsigned ValueBuilder::SameOperation::getHashValue(const Operation *op) {
  return OperationEquivalence::computeHash(
      const_cast<Operation *>(op), OperationEquivalence::directHashValue,
      OperationEquivalence::ignoreHashValue,
      OperationEquivalence::IgnoreLocations);
}

bool ValueBuilder::SameOperation::isEqual(const Operation *a,
                                          const Operation *b) {
  if (a == b)
    return true;
  if (a == getEmptyKey() || a == getTombstoneKey() || b == getEmptyKey() ||
      b == getTombstoneKey())
    return false;
  return OperationEquivalence::isEquivalentTo(
      const_cast<Operation *>(a), const_cast<Operation *>(b),
      OperationEquivalence::IgnoreLocations);
}

Value ValueBuilder::unique(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || op->getNumRegions() != 0)
    return value;
  for (auto &scope : llvm::reverse(scopes)) {
    auto found = scope.find(op);
    if (found == scope.end())
      continue;
    // Folding may have given back an operation that is already known.
    if (*found == op)
      return value;
    unsigned number = cast<OpResult>(value).getResultNumber();
    op->erase();
    return (*found)->getResult(number);
  }
  // An operation that folding found elsewhere is in no scope of ours, and may
  // lie outside the innermost one; it is left where it is.
  if (op->getBlock() == builder.getInsertionBlock())
    scopes.back().insert(op);
  return value;
}

Value ValueBuilder::splat(Type type, double value) {
  Type element = getElementTypeOrSelf(type);
  TypedAttr number = isa<FloatType>(element)
                         ? TypedAttr(builder.getFloatAttr(element, value))
                         : TypedAttr(builder.getIntegerAttr(
                               element, static_cast<int64_t>(value)));
  if (auto vector = dyn_cast<VectorType>(type))
    return constant(DenseElementsAttr::get(vector, Attribute(number)));
  return constant(number);
}

void ValueBuilder::when(Value condition, function_ref<void()> body) {
  auto guard = create<scf::IfOp>(condition, /*withElseRegion=*/false);
  inBlock(guard.thenBlock(), body);
}

SmallVector<Value> ValueBuilder::loop(Value first, Value end, Value step,
                                      ValueRange carried, LoopBody body) {
  auto loop = create<scf::ForOp>(first, end, step, carried);
  if (!loop.getBody()->empty())
    loop.getBody()->back().erase();
  inBlock(loop.getBody(), [&] {
    create<scf::YieldOp>(
        body(loop.getInductionVar(), loop.getRegionIterArgs()));
  });
  return SmallVector<Value>(loop.getResults());
}
