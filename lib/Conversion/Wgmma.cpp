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
#include "llvm/ADT/StringExtras.h"

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
                                      Value x, bool anew) {
  auto i64 = [&](int64_t value) {
    return b.constant(b.op().getI64IntegerAttr(value));
  };
  b.create<NVVM::WgmmaFenceAlignedOp>();
  Value place = b.make<LLVM::PtrToIntOp>(b.op().getI64Type(), x);
  Value descriptor = b.make<arith::OrIOp>(
      b.make<arith::ShRUIOp>(b.make<arith::AndIOp>(place, i64((1 << 18) - 1)),
                             i64(4)),
      i64(int64_t(1) << 62 | int64_t(1024 >> 4) << 32 | int64_t(1) << 16));
  // One text for all steps: to LLVM each is some hundred operands.
  size_t count = sums.size(), descriptorAt = count + fragments.size();
  std::string type = plan.element().isF16() ? "f16" : "bf16";
  std::string text =
      "{\n\t.reg .pred anew;\n\t.reg .pred adds;\n\t.reg .b64 x;\n\t"
      "setp.ne.u32 anew, 1, 1;\n\tsetp.eq.u32 adds, 1, 1;\n";
  for (int64_t k = 0; k < wgmmaSteps; ++k)
    // 16 columns of x on: 32 bytes.
    text +=
        "\tadd.s64 x, " + operandList(descriptorAt, 1) + ", " +
        std::to_string(k * 32 >> 4) + ";\n\twgmma.mma_async.sync.aligned.m64n" +
        std::to_string(plan.blockM) + "k16.f32." + type + "." + type + " {" +
        operandList(0, count) + "}, {" + operandList(count + k * 4, 4) +
        "}, x, " + (anew && k == 0 ? "anew" : "adds") + ", 1, 1, 0;\n";
  text += "\t}";
  SmallVector<StringRef> constraints(fragments.size(), "r");
  constraints.push_back("l");
  SmallVector<Value> inputs(fragments);
  inputs.push_back(descriptor);
  SmallVector<Value> next =
      changeByPtx(b, sums, text, inputs, llvm::join(constraints, ","));
  b.create<NVVM::WgmmaGroupSyncAlignedOp>();
  return next;
}
