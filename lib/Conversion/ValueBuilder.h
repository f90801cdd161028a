//===- Conversion/ValueBuilder.h - Builds each value once -----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Schedules ask for elements of tiles one by one, and neighbours share most of
// what they are computed from: a word, a scale, an address. This builder folds
// what is constant and gives back the value it built before when it is asked
// for the same operation again, so that a schedule need not know what is
// shared, and no pass has to find it later.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_CONVERSION_VALUEBUILDER_H
#define NIBBLE_CONVERSION_VALUEBUILDER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Builders.h"

namespace nibble {

/// An OpBuilder with one location that builds equal operations once.
///
/// Equal loads are built once as well: within one scope no store that they
/// could see lies between them, because a kernel does not read what it writes
/// (see nibble.kernel) and a schedule opens a scope after each barrier.
class ValueBuilder {
public:
  ValueBuilder(mlir::OpBuilder builder, mlir::Location loc)
      : builder(builder), loc(loc) {
    scopes.emplace_back();
  }

  /// The value of OpT(args...), folded or built before where that is possible.
  template <typename OpT, typename... Args> mlir::Value make(Args &&...args) {
    mlir::Value value =
        builder.createOrFold<OpT>(loc, std::forward<Args>(args)...);
    return unique(value);
  }

  /// OpT(args...) as an operation of its own.
  template <typename OpT, typename... Args> OpT create(Args &&...args) {
    return OpT::create(builder, loc, std::forward<Args>(args)...);
  }

  /// The `index` constant `value`.
  mlir::Value index(int64_t value) {
    return unique(mlir::arith::ConstantIndexOp::create(builder, loc, value));
  }
  /// The `i32` constant `value`.
  mlir::Value i32(int64_t value) {
    return unique(mlir::arith::ConstantIntOp::create(builder, loc, value, 32));
  }
  /// A constant of any type.
  mlir::Value constant(mlir::TypedAttr value) {
    return unique(mlir::arith::ConstantOp::create(builder, loc, value));
  }
  /// A scalar or vector constant of `type` with the same number everywhere.
  mlir::Value splat(mlir::Type type, double value);

  /// Opens a scope: what is built in it is not given back after it.
  void push() { scopes.emplace_back(); }
  void pop() { scopes.pop_back(); }

  /// Builds `body` in a scope of its own at the end of `block`.
  void inBlock(mlir::Block *block, llvm::function_ref<void()> body) {
    mlir::OpBuilder::InsertionGuard guard(builder);
    if (!block->empty() &&
        block->back().hasTrait<mlir::OpTrait::IsTerminator>())
      builder.setInsertionPoint(&block->back());
    else
      builder.setInsertionPointToEnd(block);
    push();
    body();
    pop();
  }

  /// Builds `body` where `condition` (i1) holds.
  void when(mlir::Value condition, llvm::function_ref<void()> body);

  /// What a loop builds for its counter and the carried values: their
  /// successors.
  using LoopBody = llvm::function_ref<mlir::SmallVector<mlir::Value>(
      mlir::Value, mlir::ValueRange)>;
  /// Builds a counted loop from `first` to `end` in steps of `step`, all of one
  /// type, that carries `carried`.
  mlir::SmallVector<mlir::Value> loop(mlir::Value first, mlir::Value end,
                                      mlir::Value step,
                                      mlir::ValueRange carried, LoopBody body);
  /// The same with counters of type `index`, from 0 on.
  mlir::SmallVector<mlir::Value> loop(mlir::Value end, int64_t step,
                                      mlir::ValueRange carried, LoopBody body) {
    return loop(index(0), end, index(step), carried, body);
  }

  mlir::OpBuilder &op() { return builder; }
  mlir::Location getLoc() const { return loc; }

  /// What was built before, if its operation is equal to that of `value`, which
  /// was just built and is erased then; else `value`.
  mlir::Value unique(mlir::Value value);

private:
  /// Operations compared by name, attributes, operands and types.
  struct SameOperation : llvm::DenseMapInfo<mlir::Operation *> {
    static unsigned getHashValue(const mlir::Operation *op);
    static bool isEqual(const mlir::Operation *a, const mlir::Operation *b);
  };
  mlir::OpBuilder builder;
  mlir::Location loc;
  mlir::SmallVector<llvm::DenseSet<mlir::Operation *, SameOperation>> scopes;
};

} // namespace nibble

#endif // NIBBLE_CONVERSION_VALUEBUILDER_H
