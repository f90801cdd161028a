//===- Layout/Fragments.h - Operands of tensor cores in registers ---------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which element each lane of a warp holds, for elements of 16 bits. "register"
// counts a lane's elements, two of A's or B's to a register of 32 bits; rows
// and columns are those of the matrix.
//
//                register   1       2       4        lane   1..2     4..16
//     mma A                 col 1   row 8   col 8           col 2,4  row 1,2,4
//     mma B                 row 1   row 8                   row 2,4  col 1,2,4
//     mma C, D              col 1   row 8                   col 2,4  row 1,2,4
//     ldmatrix              col 1   matrix 1, 2             col 2,4  row 1,2,4
//     ldmatrix.trans        row 1   matrix 1, 2             row 2,4  col 1,2,4
//
// wgmma's A in registers is mma's A for each warp, 16 rows a warp.
//
// Source: PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point
// type", "ldmatrix", "Register Fragments for wgmma.mma_async.m64k16".
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_LAYOUT_FRAGMENTS_H
#define NIBBLE_LAYOUT_FRAGMENTS_H

#include "Layout/LinearMap.h"

namespace nibble::layout {

/// Operand A of mma.m16n8k16: (register, lane) to (row, column) of 16 x 16.
LinearMap mmaA();

/// Operand B of mma.m16n8k16: (register, lane) to (row, column) of 16 x 8.
LinearMap mmaB();

/// Accumulator C and result D of mma.m16n8k16, of 16 or 32 bits: (register,
/// lane) to (row, column) of 16 x 8.
LinearMap mmaC();

/// What ldmatrix.x4 leaves: (register, lane) to (matrix, row, column) of four
/// 8 x 8 matrices. A row is what lies in 16 bytes of memory, also for .trans.
LinearMap ldmatrixX4(bool transposed);

/// Whose address ldmatrix.x4 takes from a lane: lane to (matrix, row).
LinearMap ldmatrixAddresses();

/// Operand A of wgmma.m64nNk16 in registers: (register, lane, warp) to
/// (row, column) of 64 x 16; warps are those of the warp group.
LinearMap wgmmaA();

} // namespace nibble::layout

#endif // NIBBLE_LAYOUT_FRAGMENTS_H
