//===- Conversion/Schedule.h - Who computes which elements ----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A schedule replaces a specialised kernel by a function of the LLVM dialect
// whose body says, in loops and vectors, who computes which elements. What the
// elements are is not its business: TileEvaluator builds them.
//
// Each schedule refuses what it does not match with an error on the operation
// that stands in the way. A refusal leaves the kernel as it was.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_CONVERSION_SCHEDULE_H
#define NIBBLE_CONVERSION_SCHEDULE_H

#include "Conversion/MmaPackedPlan.h"
#include "Conversion/TileEvaluator.h"

namespace nibble {

/// Vector loops on the CPU, with vectors of `vectorBits` bits.
mlir::LogicalResult scheduleHost(ir::KernelOp kernel, int vectorBits);

/// The part of a configuration that `simt` reads.
struct SimtOptions {
  int warps;
  /// Start while the kernel before on the stream still runs.
  bool overlap;
  /// Hold the rows that columns are gathered of in shared memory.
  bool held;
  /// Shared memory that a program may use, in bytes.
  int64_t sharedBytes;
};

/// Threads of a GPU, one element a thread at a time.
mlir::LogicalResult scheduleSimt(ir::KernelOp kernel,
                                 const SimtOptions &options);

/// Tensor cores; a program may use `sharedBytes` of shared memory.
mlir::LogicalResult scheduleMma(ir::KernelOp kernel, int warps,
                                int64_t sharedBytes);

/// Tensor cores on packed weights.
mlir::LogicalResult scheduleMmaPacked(ir::KernelOp kernel,
                                      const MmaPackedOptions &options);

/// Why `scheduleMma` would refuse `kernel`, or an empty string.
std::string refusalOfMma(ir::KernelOp kernel, int warps, int64_t sharedBytes);

/// `mma_packed` for packed weights. For others `mma` where it matches, else
/// `simt` with mma's reason to refuse as the attribute `nibble.mma_refused` of
/// the function.
mlir::LogicalResult scheduleGpu(ir::KernelOp kernel,
                                const MmaPackedOptions &options);

/// The body of a kernel that `mma_packed` takes with prefetch=0.
mlir::LogicalResult buildPipeline(const MmaPackedPlan &plan,
                                  const MmaPackedOptions &options,
                                  struct GpuBody &body);

/// Attributes of a scheduled function: the schedule's name, why `mma` was not
/// taken, and what a launch on a GPU needs.
inline constexpr llvm::StringLiteral scheduleAttrName = "nibble.schedule";
inline constexpr llvm::StringLiteral mmaRefusedAttrName = "nibble.mma_refused";
inline constexpr llvm::StringLiteral threadsAttrName = "nibble.threads";
inline constexpr llvm::StringLiteral sharedBytesAttrName =
    "nibble.shared_bytes";
/// The kernel waits by itself for the one before it on a stream.
inline constexpr llvm::StringLiteral overlapAttrName = "nibble.overlap";
/// The blocks of a cluster that make up a program.
inline constexpr llvm::StringLiteral splitsAttrName = "nibble.splits";

//===----------------------------------------------------------------------===//
// What schedules share
//===----------------------------------------------------------------------===//

/// Checks that `kernel` is specialised, its body has only operations that
/// walkStores can clone, and its weights are packed only if `packed`.
mlir::LogicalResult checkSchedulable(ir::KernelOp kernel, bool packed = false);

/// An `llvm.func` of `schedule` beside `kernel`, with the kernel's name,
/// parameters of the types `parameters` and an entry block.
mlir::LLVM::LLVMFuncOp makeFunction(ir::KernelOp kernel,
                                    llvm::StringRef schedule,
                                    llvm::ArrayRef<mlir::Type> parameters);

/// What the body of a function for a GPU is built from.
struct GpuBody {
  mlir::LLVM::LLVMFuncOp function;
  TileEvaluator &evaluator;
  /// The thread's number in its program, i32.
  mlir::Value thread;
  /// The program's shared memory; null if it has none.
  mlir::Value shared;
  /// Which of the blocks of a program this is, i32; null if it has one.
  mlir::Value part;
};

/// Replaces `kernel` by a function for a GPU: a parameter for each word of the
/// launch, `threads` threads and `sharedBytes` bytes of shared memory a
/// program, and what `build` builds. With `splits` a program is a cluster of
/// so many blocks. If that fails the kernel stays.
mlir::LogicalResult
buildGpuFunction(ir::KernelOp kernel, llvm::StringRef schedule, int64_t threads,
                 int64_t sharedBytes, const EvaluatorOptions &options,
                 llvm::function_ref<mlir::LogicalResult(GpuBody &)> build,
                 int splits = 1);

/// Calls `store` for each store of the kernel, in the control flow around it.
mlir::LogicalResult
walkStores(mlir::Block *block, TileEvaluator &evaluator,
           llvm::function_ref<mlir::LogicalResult(ir::StoreOp)> store);

} // namespace nibble

#endif // NIBBLE_CONVERSION_SCHEDULE_H
