//===- Conversion/WordMath.h - Short arithmetic on i32 and i64 ------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Schedules that place every access by hand compute with the 32-bit words of a
// GPU rather than with `index`, which is 64 bits wide there. These are short
// names for that, for a builder class to inherit.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_CONVERSION_WORDMATH_H
#define NIBBLE_CONVERSION_WORDMATH_H

#include "Conversion/ValueBuilder.h"

namespace nibble {

/// Arithmetic on i32 (and i64 where both operands are), unsigned.
class WordMath {
protected:
  using Value = mlir::Value;
  using Values = mlir::SmallVector<Value>;

  explicit WordMath(ValueBuilder &builder) : b(builder) {}

  Value add(Value a, Value c) { return b.make<mlir::arith::AddIOp>(a, c); }
  Value mul(Value a, Value c) { return b.make<mlir::arith::MulIOp>(a, c); }
  Value div(Value a, int64_t c) {
    return b.make<mlir::arith::DivUIOp>(a, b.i32(c));
  }
  Value rem(Value a, int64_t c) {
    return b.make<mlir::arith::RemUIOp>(a, b.i32(c));
  }
  Value ceilDiv(Value a, int64_t c) { return div(add(a, b.i32(c - 1)), c); }
  Value less(Value a, Value c) {
    return b.make<mlir::arith::CmpIOp>(mlir::arith::CmpIPredicate::ult, a, c);
  }
  Value both(Value a, Value c) { return b.make<mlir::arith::AndIOp>(a, c); }
  Value select(Value condition, Value a, Value c) {
    return b.make<mlir::arith::SelectOp>(condition, a, c);
  }
  Value i64(int64_t value) {
    return b.constant(b.op().getI64IntegerAttr(value));
  }
  /// i32 as i64, `index` as i32, i32 as `index`.
  Value wide(Value a) {
    return b.make<mlir::arith::ExtSIOp>(b.op().getI64Type(), a);
  }
  Value narrow(Value index) {
    return b.make<mlir::arith::IndexCastOp>(b.op().getI32Type(), index);
  }
  Value asIndex(Value i32) {
    return b.make<mlir::arith::IndexCastUIOp>(b.op().getIndexType(), i32);
  }
  /// `pointer` plus `offset` (i32 or i64) elements of `type`, or bytes.
  Value at(Value pointer, Value offset, mlir::Type type) {
    return b.make<mlir::LLVM::GEPOp>(
        pointer.getType(), type, pointer,
        mlir::ArrayRef<mlir::LLVM::GEPArg>{offset});
  }
  Value at(Value pointer, Value bytes) {
    return at(pointer, bytes, b.op().getI8Type());
  }

  /// A pointer into the shared memory of the blocks of a cluster: address
  /// space 7.
  mlir::Type clusterPointer() {
    return mlir::LLVM::LLVMPointerType::get(b.op().getContext(), 7);
  }

  /// `condition ? body() : otherwise`, as a branch.
  Values branch(Value condition, mlir::ValueRange otherwise,
                llvm::function_ref<Values()> body) {
    auto choice = b.create<mlir::scf::IfOp>(otherwise.getTypes(), condition,
                                            /*withElseRegion=*/true);
    b.inBlock(choice.thenBlock(), [&] {
      Values values = body();
      b.create<mlir::scf::YieldOp>(values);
    });
    b.inBlock(choice.elseBlock(),
              [&] { b.create<mlir::scf::YieldOp>(otherwise); });
    return Values(choice.getResults());
  }

  ValueBuilder &b;
};

} // namespace nibble

#endif // NIBBLE_CONVERSION_WORDMATH_H
