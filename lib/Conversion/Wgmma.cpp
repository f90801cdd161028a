//===- Conversion/Wgmma.cpp - Products of four warps together ------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Wgmma.h.
//
//===----------------------------------------------------------------------===//

#include "Conversion/Wgmma.h"
#include "Conversion/InlinePtx.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace nibble;

SmallVector<Value> nibble::keepHere(ValueBuilder &b, ValueRange words) {
  return changeByPtx(b, words, "");
}

/// Source: PTX ISA, "wgmma.mma_async", "Matrix descriptor" (a 128-byte swizzle,
/// 1024 bytes from 8 rows to the next).
SmallVector<Value> nibble::beginWgmma(ValueBuilder &b,
                                      const MmaPackedPlan &plan,
                                      ValueRange sums, ValueRange fragments,
                                      Value x) {
  auto i64 = [&](int64_t value) {
    return b.constant(b.op().getI64IntegerAttr(value));
  };
  b.create<NVVM::WgmmaFenceAlignedOp>();
  size_t count = sums.size();
  std::string type = plan.element().isF16() ? "f16" : "bf16";
  std::string text = "{\n\t.reg .pred p;\n\tsetp.eq.u32 p, 1, 1;\n\t"
                     "wgmma.mma_async.sync.aligned.m64n" +
                     std::to_string(plan.blockM) + "k16.f32." + type + "." +
                     type + " {" + operandList(0, count) + "}, {" +
                     operandList(count, 4) + "}, " + operandList(count + 4, 1) +
                     ", p, 1, 1, 0;\n\t}";
  Value place = b.make<LLVM::PtrToIntOp>(b.op().getI64Type(), x);
  Value descriptor = b.make<arith::OrIOp>(
      b.make<arith::ShRUIOp>(b.make<arith::AndIOp>(place, i64((1 << 18) - 1)),
                             i64(4)),
      i64(int64_t(1) << 62 | int64_t(1024 >> 4) << 32 | int64_t(1) << 16));
  SmallVector<Value> held(sums);
  for (int64_t k = 0; k < wgmmaSteps; ++k) {
    SmallVector<Value> operands(fragments.slice(k * 4, 4));
    // 16 columns of x on: 32 bytes.
    operands.push_back(b.make<arith::AddIOp>(descriptor, i64(k * 32 >> 4)));
    held = changeByPtx(b, held, text, operands, "r,r,r,r,l");
  }
  b.create<NVVM::WgmmaGroupSyncAlignedOp>();
  return held;
}
