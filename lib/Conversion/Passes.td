//===- Passes.td - Passes from tile IR to the LLVM dialect -----*- tablegen -*-===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_CONVERSION_PASSES_TD
#define NIBBLE_CONVERSION_PASSES_TD

include "mlir/Pass/PassBase.td"

class Nibble_SchedulePass<string name> : Pass<name, "::mlir::ModuleOp"> {
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect", "::mlir::math::MathDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect"];
}

def ScheduleHost : Nibble_SchedulePass<"nibble-schedule-host"> {
  let summary = "Schedule kernels as vector loops on the CPU";
  let description = [{
    Precondition: specialised kernels (nibble-specialise).

    Postcondition: each kernel is an `llvm.func` that takes the address of a
    launch's words and a range of programs, and runs these programs one after
    the other (nibble/Kernel.h). Within a program, a block of rows by a block
    of vectors along columns is computed at a time, in f32.

    Matches every kernel whose stores are at the top of its body or in `scf.if`
    and `scf.for` without results.
  }];
  let options = [
    Option<"vectorBits", "vector-bits", "int", /*default=*/"256",
           "Bits of a vector register">
  ];
}

def ScheduleSimt : Nibble_SchedulePass<"nibble-schedule-simt"> {
  let summary = "Schedule kernels on a GPU, one element a thread at a time";
  let description = [{
    Precondition: specialised kernels.

    Postcondition: each kernel is an `llvm.func` with `nvvm.kernel` and a
    parameter for each of a launch's words. A program is a block of threads; its
    threads take the elements of what the kernel stores in turn, and compute
    each from memory.

    With `overlap` a program waits for the kernel before it on the stream. One
    that only gathers columns has by then read which, which no kernel before it
    may write. With `held` it brings whole rows to shared memory first.

    Matches what nibble-schedule-host matches; with `held` only a kernel that
    gathers columns of one matrix by numbers that it loads, and stores them.
  }];
  let options = [
    Option<"warps", "warps", "int", /*default=*/"4", "Warps of a program">,
    Option<"overlap", "overlap", "bool", /*default=*/"false",
           "Start while the kernel before on the stream still runs">,
    Option<"held", "held", "bool", /*default=*/"false",
           "Hold the rows that columns are gathered of in shared memory">,
    Option<"sharedBytes", "shared-bytes", "int64_t", /*default=*/"166912",
           "Shared memory that a program may use">
  ];
}

def ScheduleMma : Nibble_SchedulePass<"nibble-schedule-mma"> {
  let summary = "Schedule matrix products on a GPU's tensor cores";
  let description = [{
    Precondition: specialised kernels.

    Postcondition: each kernel is an `llvm.func` with `nvvm.kernel`. The warps
    of a program divide its block of the output between them. Both operands of
    the product are computed by all threads together, element by element as the
    kernel says, and staged in shared memory; `ldmatrix` and `mma.sync` with
    fp32 accumulators multiply them. What follows the product is computed on
    the accumulators where they are.

    Matches a kernel with one store, of a tile that `round`, `add` and
    `broadcast` make from the one value that one loop carries, whose body ends
    in `nibble.dot` of f16 or bf16 tiles onto that value; with a row block that
    is a multiple of 16, a column block that is a multiple of 16, and a step
    over K that is a multiple of 16.
  }];
  let options = [
    Option<"warps", "warps", "int", /*default=*/"4", "Warps of a program">,
    Option<"sharedBytes", "shared-bytes", "int64_t", /*default=*/"166912",
           "Shared memory that a program may use">
  ];
}

def ScheduleMmaPacked : Nibble_SchedulePass<"nibble-schedule-mma-packed"> {
  let summary = "Schedule kernels on tensor cores that read packed weights";
  let description = [{
    Precondition: specialised kernels with `nibble.packed`, whose weights are in
    the packed order (Layout/PackedOrder.h).

    Postcondition: each kernel is an `llvm.func` with `nvvm.kernel`. Lanes read
    weights into registers as `mma.sync` takes them, `prefetch` steps ahead; x
    goes through `stages` stages of shared memory. With `prefetch=0` weights go
    through these stages, too, brought by further warps; and with `wgmma` four
    warps multiply together, with weights in registers. Warps divide the columns and
    the rows of K of a step, and `splits` programs of a cluster the steps; what
    those of one column sum up is added in their order, and what follows the
    product is computed on the totals.

    Matches what nibble-schedule-mma matches if the right operand of the
    product is dequantized from codes that are unpacked along rows, with scales
    and zero points gathered by the rows' groups; with up to 64 rows (by `wgmma`
    256) in multiples of 8, and a step over K that is a multiple of 128.
  }];
  let options = [
    Option<"warps", "warps", "int", /*default=*/"4", "Warps of a program">,
    Option<"stages", "stages", "int", /*default=*/"3",
           "Steps of x (of a pipeline, of 128 rows of weights and x) in shared "
           "memory at a time, for packed weights">,
    Option<"prefetch", "prefetch", "int", /*default=*/"1",
           "Steps of packed weights in registers at a time; 0 for a pipeline of "
           "weights and x through shared memory (sm_90)">,
    Option<"splits", "splits", "int", /*default=*/"1",
           "Programs of a cluster that divide K of packed weights">,
    Option<"wgmma", "wgmma", "bool", /*default=*/"false",
           "Multiply by wgmma, with prefetch=0">,
    Option<"overlap", "overlap", "bool", /*default=*/"false",
           "Start while the kernel before on the stream still runs">,
    Option<"held", "held", "bool", /*default=*/"false",
           "Hold all of a block's x in shared memory to gather it from there, "
           "with prefetch=0">,
    Option<"sharedBytes", "shared-bytes", "int64_t", /*default=*/"166912",
           "Shared memory that a program may use">
  ];
}

def ScheduleGpu : Nibble_SchedulePass<"nibble-schedule-gpu"> {
  let summary = "Schedule kernels on a GPU by the first schedule that matches";
  let description = [{
    Precondition: specialised kernels.

    Postcondition: that of nibble-schedule-mma-packed for kernels with
    `nibble.packed`, that of nibble-schedule-mma for the others it matches, that
    of nibble-schedule-simt for the others, whose functions then say in
    `nibble.mma_refused` which operation stood in mma's way, and why.
  }];
  let options = [
    Option<"warps", "warps", "int", /*default=*/"4", "Warps of a program">,
    Option<"stages", "stages", "int", /*default=*/"3",
           "Steps of x (of a pipeline, of 128 rows of weights and x) in shared "
           "memory at a time, for packed weights">,
    Option<"prefetch", "prefetch", "int", /*default=*/"1",
           "Steps of packed weights in registers at a time; 0 for a pipeline of "
           "weights and x through shared memory (sm_90)">,
    Option<"splits", "splits", "int", /*default=*/"1",
           "Programs of a cluster that divide K of packed weights">,
    Option<"wgmma", "wgmma", "bool", /*default=*/"false",
           "Multiply by wgmma, with prefetch=0">,
    Option<"overlap", "overlap", "bool", /*default=*/"false",
           "Start while the kernel before on the stream still runs">,
    Option<"held", "held", "bool", /*default=*/"false",
           "Hold rows in shared memory to gather columns from there: all of a "
           "block's x with prefetch=0, or by simt">,
    Option<"sharedBytes", "shared-bytes", "int64_t", /*default=*/"166912",
           "Shared memory that a program may use">
  ];
}

def LowerToLLVM : Pass<"nibble-lower-to-llvm", "::mlir::ModuleOp"> {
  let summary = "Lower scheduled kernels to the LLVM dialect";
  let description = [{
    Precondition: `llvm.func` with bodies of scf, arith, math, vector, LLVM and
    NVVM operations.

    Postcondition: only operations of LLVM and NVVM are left. bf16 conversions
    on the host are expanded into integer arithmetic (`expand-bf16`), because
    no runtime library is there to call.
  }];
  let options = [
    Option<"expandBf16", "expand-bf16", "bool", /*default=*/"false",
           "Expand conversions from and to bf16">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::cf::ControlFlowDialect",
    "::mlir::vector::VectorDialect", "::mlir::LLVM::LLVMDialect"];
}

#endif // NIBBLE_CONVERSION_PASSES_TD
