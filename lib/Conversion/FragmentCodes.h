//===- Conversion/FragmentCodes.h - Packed words to fragments -------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From words in the packed order (Layout/PackedOrder.h) to the registers of an
// mma.m16n8k16 A fragment. A register holds two codes of one column of W, 16
// bits apart in the packed word, so that a mask and an `or` with the exponent
// of a power of two make two numbers at a time: in fp16 0x6400 | code is 1024 +
// code, and a code at bit p above it is 1024 + code * 2^p, which one
// multiplication by 2^-p brings down. The difference to the zero point, taken
// in the same way, is exact:
//
//   bits  register  bit p   number          minus zero point z
//   4     0, 2      0       1024 + q        - (1024 + z)
//   4     1, 3      4       1024 + 16 q     * 1/16 - (64 + z)
//   2     0         0       1024 + q        - (1024 + z)
//   2     1         2       1024 + 4 q      * 1/4 - (256 + z)
//   2     2         4       1024 + 16 q     * 1/16 - (64 + z)
//   2     3         6       1024 + 64 q     * 1/64 - (16 + z)
//
// Codes of 3 bits are put together first, eight by one operation
// (PackedOrder.h), and are then where those of 4 bits are. Words are rotated
// where codes end beyond the mantissa. Codes of 8 bits are put under the
// exponent byte by byte.
//
// bf16 has 7 bits of mantissa, 128 + code * 2^p: codes of 2 bits at 0, 2 and 4
// end within it, those of 3 at 0 and 4, those of 4 at 0. Codes of 8 bits go
// through fp16.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_CONVERSION_FRAGMENTCODES_H
#define NIBBLE_CONVERSION_FRAGMENTCODES_H

#include "Conversion/ValueBuilder.h"
#include "Layout/PackedOrder.h"

namespace nibble {

/// Decodes words of one width for products of one element type.
class FragmentCodes {
public:
  /// `bits` 2, 3, 4 or 8; `element` f16 or bf16.
  FragmentCodes(ValueBuilder &builder, int64_t bits, mlir::Type element);

  /// Scale and zero point of columns r and r + 8 of a tile, as a lane of the
  /// quad r reads them: two f16 each, in an i32.
  struct Group {
    mlir::Value scales, zeros;
  };

  /// The four registers (vectors of two elements) of fragment `step` of the
  /// unit whose words of this lane are `words` (i32): code - zero point, times
  /// the scale if `scaled`, rounded once.
  mlir::SmallVector<mlir::Value, 4> fragment(llvm::ArrayRef<mlir::Value> words,
                                             int64_t step, const Group &group,
                                             bool scaled);

  /// The scale of column r (`upper` false) or r + 8 as f32.
  mlir::Value scaleAsFloat(const Group &group, bool upper);
  /// A tile's `sums` (f32, as mma and wgmma leave them: two of column r, two of
  /// r + 8, in turn) plus the scale times those of a group, `partial`.
  mlir::SmallVector<mlir::Value> addScaled(mlir::ValueRange sums,
                                           mlir::ValueRange partial,
                                           const Group &group);

private:
  /// A word, and the bit of it at which a register's lower code lies.
  struct Place {
    mlir::Value word;
    int64_t bit;
  };
  Place find(llvm::ArrayRef<mlir::Value> words, int64_t step, int64_t reg);
  mlir::Value difference(Place place, mlir::Value zero);
  mlir::Value lop3(llvm::ArrayRef<mlir::Value> registers,
                   llvm::ArrayRef<int64_t> numbers, int table);
  mlir::Value rotate(mlir::Value word, int64_t amount);
  mlir::Value pairOf(mlir::Value halves, bool upper);
  mlir::Value byteDifference(Place place, mlir::Value zero);
  mlir::Value asBf16(mlir::Value halves);
  /// `value` (bf16, whole numbers) times `scale` (fp16), rounded once.
  mlir::Value timesScale(mlir::Value value, mlir::Value scale);

  ValueBuilder &b;
  int64_t bits;
  layout::PackedOrder order;
  mlir::Type element;
  mlir::VectorType halfPair, pair;
};

} // namespace nibble

#endif // NIBBLE_CONVERSION_FRAGMENTCODES_H
