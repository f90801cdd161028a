//===- Layout/Swizzle.h - Shared memory without bank conflicts ------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Shared memory has 32 banks of 4 bytes: 128 bytes of different banks are read
// at once. ldmatrix reads 8 rows of 16 bytes at a time, so the 8 must differ in
// bits 4 to 6 of their offset. Rows of 128 bytes one below the other have them
// equal. Chunks of 16 bytes that are permuted within their row do not:
//
//     offset = row * rowBytes + 16 * (chunk ^ (row >> shift & mask)) + byte
//
// With rows of 128 bytes and the swizzle chunk ^ (row & 7), chunk 2 of rows 0
// to 7 lies at these places:
//
//     row      0   1   2   3   4   5   6   7
//     place    2   3   0   1   6   7   4   5      all eight: no conflict
//
// and so does every other chunk, because XOR with a row's number permutes the
// places. Rows of 64 bytes lie two to 128 bytes, and only bits 1 and 2 of the
// row are needed: chunk ^ (row >> 1 & 3).
//
// Whether an access has conflicts is the rank of a linear map, so the search
// for a swizzle tries each and computes ranks.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_LAYOUT_SWIZZLE_H
#define NIBBLE_LAYOUT_SWIZZLE_H

#include "Layout/LinearMap.h"

namespace nibble::layout {

/// The permutation chunk ^ (row >> shift & (2^bits - 1)); none with 0 bits.
struct Swizzle {
  int bits = 0;
  int shift = 0;
  bool operator==(const Swizzle &) const = default;
};

/// A tile of 2^rowBits rows of 2^byteBits bytes in shared memory, in chunks of
/// 16 bytes: "offset" (bytes) to (row, column), the column in bytes. byteBits
/// is at least 4, the swizzle's bits at most byteBits - 4.
LinearMap swizzledRows(int rowBits, int byteBits, Swizzle swizzle);

/// How many rounds shared memory needs for an access that reads 16 bytes at
/// each of 8 places at once, divided by the one that it needs at best.
/// `access` gives (row, column in bytes) for "lane" of 3 bits. Places that are
/// equal are read once. Nothing if the access leaves the tile.
std::optional<int> bankConflicts(const LinearMap &memory,
                                 const LinearMap &access);

/// The swizzle of the fewest bits, then the least shift, with which none of
/// `accesses` has conflicts (see bankConflicts); nothing if there is none.
std::optional<Swizzle> findSwizzle(int rowBits, int byteBits,
                                   const std::vector<LinearMap> &accesses);

} // namespace nibble::layout

#endif // NIBBLE_LAYOUT_SWIZZLE_H
