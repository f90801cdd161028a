//===- Conversion/Wgmma.cpp - Products of four warps together ------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Wgmma.h.
//
//===----------------------------------------------------------------------===//

#include "Conversion/Wgmma.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace nibble;

SmallVector<Value> nibble::keepHere(ValueBuilder &b, ValueRange words) {
  Type word = b.op().getI32Type();
  SmallVector<Value> fragments(words);
  std::string outputs, ties;
  for (size_t i = 0; i < fragments.size(); ++i) {
    outputs += i ? ",=r" : "=r";
    ties += "," + std::to_string(i);
  }
  SmallVector<Type> types(fragments.size(), word);
  auto pinned = b.create<LLVM::InlineAsmOp>(
      LLVM::LLVMStructType::getLiteral(b.op().getContext(), types), fragments,
      "", outputs + ties, /*has_side_effects=*/true, /*is_align_stack=*/false,
      LLVM::tailcallkind::TailCallKind::None, LLVM::AsmDialectAttr(),
      ArrayAttr());
  for (size_t i = 0; i < fragments.size(); ++i)
    fragments[i] = b.create<LLVM::ExtractValueOp>(pinned.getRes(),
                                                  static_cast<int64_t>(i));
  return fragments;
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
  Type f32 = b.op().getF32Type();
  size_t count = sums.size();
  SmallVector<Type> types(count, f32);
  Type result = LLVM::LLVMStructType::getLiteral(b.op().getContext(), types);
  std::string list, outputs, ties;
  for (size_t i = 0; i < count; ++i) {
    list += (i ? ", $" : "$") + std::to_string(i);
    outputs += "=f,";
    ties += "," + std::to_string(i);
  }
  auto operand = [&](size_t number) { return "$" + std::to_string(number); };
  std::string type = plan.element().isF16() ? "f16" : "bf16";
  std::string text = "{\n\t.reg .pred p;\n\tsetp.eq.u32 p, 1, 1;\n\t"
                     "wgmma.mma_async.sync.aligned.m64n" +
                     std::to_string(plan.blockM) + "k16.f32." + type + "." +
                     type + " {" + list + "}, {" + operand(count) + ", " +
                     operand(count + 1) + ", " + operand(count + 2) + ", " +
                     operand(count + 3) + "}, " + operand(count + 4) +
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
    llvm::append_range(operands, held);
    auto product = b.create<LLVM::InlineAsmOp>(
        result, operands, text, outputs + "r,r,r,r,l" + ties,
        /*has_side_effects=*/true, /*is_align_stack=*/false,
        LLVM::tailcallkind::TailCallKind::None, LLVM::AsmDialectAttr(),
        ArrayAttr());
    for (size_t i = 0; i < count; ++i)
      held[i] = b.create<LLVM::ExtractValueOp>(product.getRes(),
                                               static_cast<int64_t>(i));
  }
  b.create<NVVM::WgmmaGroupSyncAlignedOp>();
  return held;
}
