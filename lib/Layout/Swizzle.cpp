//===- Layout/Swizzle.cpp - Shared memory without bank conflicts ----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Swizzle.h.
//
//===----------------------------------------------------------------------===//

#include "Layout/Swizzle.h"
#include <algorithm>

using namespace nibble::layout;

/// Bits of the offset within a chunk of 16 bytes, and within the 128 bytes that
/// are read at once.
static constexpr int chunkBits = 4;
static constexpr int lineBits = 7;

LinearMap nibble::layout::swizzledRows(int rowBits, int byteBits,
                                       Swizzle swizzle) {
  // A bit of the offset that counts rows gives that row, at the chunk that the
  // swizzle put in its place 0: XOR is its own inverse.
  std::vector<Coordinates> images;
  images.reserve(byteBits + rowBits);
  for (int bit = 0; bit < byteBits; ++bit)
    images.push_back({{"column", uint64_t(1) << bit}});
  for (int bit = 0; bit < rowBits; ++bit) {
    Coordinates image = {{"row", uint64_t(1) << bit}};
    if (bit >= swizzle.shift && bit < swizzle.shift + swizzle.bits)
      image["column"] = uint64_t(1) << (bit - swizzle.shift + chunkBits);
    images.push_back(std::move(image));
  }
  return LinearMap({{"offset", images}},
                   {{"row", rowBits}, {"column", byteBits}});
}

std::optional<int> nibble::layout::bankConflicts(const LinearMap &memory,
                                                 const LinearMap &access) {
  std::optional<LinearMap> offsets = conversion(access, memory);
  if (!offsets)
    return std::nullopt;
  std::vector<Coordinates> banks;
  for (int bit = 0; bit < offsets->inputs()["lane"]; ++bit) {
    Coordinates image = offsets->image("lane", bit);
    uint64_t line = uint64_t(1) << lineBits;
    banks.push_back({{"chunk", image["offset"] % line >> chunkBits}});
  }
  LinearMap map({{"lane", banks}}, {{"chunk", lineBits - chunkBits}});
  return 1 << (offsets->rank() - map.rank());
}

std::optional<Swizzle>
nibble::layout::findSwizzle(int rowBits, int byteBits,
                            const std::vector<LinearMap> &accesses) {
  int most = std::min({byteBits, lineBits, rowBits + chunkBits}) - chunkBits;
  for (int bits = 0; bits <= most; ++bits)
    for (int shift = 0; shift <= (bits == 0 ? 0 : rowBits - bits); ++shift) {
      LinearMap memory = swizzledRows(rowBits, byteBits, {bits, shift});
      if (std::all_of(accesses.begin(), accesses.end(),
                      [&](const LinearMap &access) {
                        return bankConflicts(memory, access) == 1;
                      }))
        return Swizzle{bits, shift};
    }
  return std::nullopt;
}
