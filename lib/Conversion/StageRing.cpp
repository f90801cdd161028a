//===- Conversion/StageRing.cpp - A ring of stages in shared memory -------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See StageRing.h.
//
//===----------------------------------------------------------------------===//

#include "Conversion/StageRing.h"
#include "Conversion/InlinePtx.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace nibble;

StageRing::StageRing(const MmaPackedPlan &plan, GpuBody &body)
    : WordMath(body.evaluator.builder()), plan(plan) {
  Value address = b.make<LLVM::PtrToIntOp>(b.op().getI32Type(), body.shared);
  Value toMultiple =
      b.make<arith::AndIOp>(b.make<arith::SubIOp>(b.i32(0), address),
                            b.i32(MmaPackedPlan::swizzleBytes - 1));
  stages = at(body.shared, toMultiple);
  barriers =
      at(stages,
         b.i32(std::max(plan.stages * plan.stageBytes(), plan.sumBytes())));
  Value first =
      b.make<arith::CmpIOp>(arith::CmpIPredicate::eq, body.thread, b.i32(0));
  b.when(first, [&] {
    for (int64_t s = 0; s < plan.stages; ++s) {
      Turn turn = {b.i32(s), Value()};
      // The thread that brings weights, and all of its team that bring x.
      b.create<NVVM::MBarrierInitOp>(
          full(turn), b.i32(1 + (plan.holds() ? 0 : plan.stagers())), Value());
      b.create<NVVM::MBarrierInitOp>(
          empty(turn), b.i32(plan.warpsN() * plan.unitWarps() * 32), Value());
    }
    b.create<NVVM::FenceMbarrierInitOp>();
  });
  b.create<NVVM::Barrier0Op>();
}

StageRing::Turn StageRing::next(const Turn &turn, int64_t by) {
  Value stage = add(turn.stage, b.i32(by));
  Value inside = less(stage, b.i32(plan.stages));
  return {select(inside, stage, add(stage, b.i32(-plan.stages))),
          select(inside, turn.parity,
                 b.make<arith::XOrIOp>(turn.parity, b.i32(1)))};
}

Value StageRing::data(const Turn &turn) {
  return at(stages, mul(turn.stage, b.i32(plan.stageBytes())));
}
Value StageRing::full(const Turn &turn) {
  return at(barriers, mul(turn.stage, b.i32(16)));
}
Value StageRing::empty(const Turn &turn) {
  return at(barriers, add(mul(turn.stage, b.i32(16)), b.i32(8)));
}

void StageRing::wait(Value barrier, const Turn &turn) {
  // NVVM's operation has no translation of its own.
  inlinePtx(b, {}, {barrier, turn.parity},
            "{\n\t.reg .pred done;\n"
            "WAIT_${:uid}:\n\t"
            "mbarrier.try_wait.parity.shared.b64 done, [$0], $1;\n\t"
            "@done bra READY_${:uid};\n\t"
            "bra WAIT_${:uid};\n"
            "READY_${:uid}:\n\t}",
            "r,r,~{memory}", /*stays=*/true);
}

void StageRing::arrive(Value barrier) {
  b.create<NVVM::MBarrierArriveOp>(TypeRange(b.op().getI64Type()), barrier,
                                   Value());
}

SmallVector<Value> StageRing::forEachStep(
    const Steps &steps, Role role, ValueRange carried,
    function_ref<Values(Value, const Turn &, ValueRange)> body) {
  Values all(carried);
  all.push_back(b.make<arith::SubIOp>(steps.first, steps.blockFirst));
  all.push_back(b.i32(role == Role::Fills));
  Values results =
      b.loop(steps.first, steps.end, b.i32(steps.by), all,
             [&](Value step, ValueRange held) {
               Turn turn = {held[carried.size()], held[carried.size() + 1]};
               Values values = body(step, turn, held.drop_back(2));
               Turn after = next(turn, steps.by);
               llvm::append_values(values, after.stage, after.parity);
               return values;
             });
  results.truncate(carried.size());
  return results;
}
