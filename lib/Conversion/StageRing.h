//===- Conversion/StageRing.h - A ring of stages in shared memory ---------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The stages that a pipeline's weights and x pass through, and two barriers
// (mbarrier) of each:
//
//   full    one thread of a team has announced the bytes of weights and these
//           have come, and so has what each of its threads copied of x, unless
//           x is held
//   empty   each warp that multiplies what is in the stage has read it
//
// Behind the barriers lies what a block holds of x (HeldRows.h).
//
// A barrier is waited for by the parity of its round. Who fills stages, and who
// reads them, goes through every so many-th, in turn.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_CONVERSION_STAGERING_H
#define NIBBLE_CONVERSION_STAGERING_H

#include "Conversion/MmaPackedPlan.h"
#include "Conversion/Schedule.h"
#include "Conversion/WordMath.h"

namespace nibble {

/// The ring of one plan.
class StageRing : WordMath {
public:
  /// Lays the ring out in the program's shared memory and makes it ready; all
  /// threads wait until it is.
  StageRing(const MmaPackedPlan &plan, GpuBody &body);

  /// A place in the ring: the stage's number, and the parity of the round that
  /// is waited for.
  struct Turn {
    Value stage, parity;
  };
  /// The place `by` stages on.
  Turn next(const Turn &turn, int64_t by);

  /// Where stages begin, and the stage of a turn.
  Value base() const { return stages; }
  Value data(const Turn &turn);
  /// The barriers of a turn's stage.
  Value full(const Turn &turn);
  Value empty(const Turn &turn);

  /// Where what is held begins, a multiple of 16.
  Value held() { return at(barriers, b.i32(plan.stages * 16)); }

  void wait(Value barrier, const Turn &turn);
  /// This thread has written, or read, its part of a stage. All threads arrive,
  /// also where one of a warp could for all: it is no slower, and leaves
  /// nothing to argue about the order of the others' accesses.
  void arrive(Value barrier);

  /// A program's steps over K, from the first of its block on.
  struct Steps {
    Value blockFirst, first, end;
    int64_t by;
  };
  /// Who waits for what: those that fill stages find the first round empty.
  enum class Role { Fills, Reads };
  /// Builds a loop over `steps`, each with its place in the ring. `body` gets
  /// the step, its place and what is carried, and returns what is carried on.
  Values forEachStep(
      const Steps &steps, Role role, mlir::ValueRange carried,
      llvm::function_ref<Values(Value, const Turn &, mlir::ValueRange)> body);

private:
  const MmaPackedPlan &plan;
  Value stages, barriers;
};

} // namespace nibble

#endif // NIBBLE_CONVERSION_STAGERING_H
