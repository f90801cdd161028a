//===- nibble/Codec.h - How codes lie in words ----------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A line of codes (a column of qweight, a row of qzeros) is one stream of bits
// in 32-bit words, low bits first: code i lies at bits [b i, b i + b) of the
// stream, and bit j of the stream is bit j mod 32 of word j / 32. Where b does
// not divide 32, a code may lie across two words. Of 3 bits:
//
//   word    0                      1                      2
//   bits    0-29        30-31 | 0  1-30         31 | 0-1  2-31
//   code    0 ... 9     10         11 ... 20    21        22 ... 31
//
// The smallest number of codes that fills whole words is a unit; K and N are
// multiples of it:
//
//   bits of a code    2    3    4    8
//   codes of a unit  16   32    8    4
//   words of a unit   1    3    1    1
//
// This is the layout of GPTQ checkpoints, and what calls take and give. On a
// GPU a layer has a copy in another order too (docs/architecture.md, Layouts).
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_CODEC_H
#define NIBBLE_CODEC_H

#include <cstdint>
#include <numeric>

namespace nibble {

/// The layout of codes of `bits` bits.
struct Codec {
  /// The widths that kernels take, and how messages list them.
  static constexpr int widths[] = {2, 3, 4, 8};
  static constexpr const char *widthsText = "2, 3, 4 and 8";

  int bits;

  /// True if codes of `bits` bits can be packed.
  static constexpr bool takes(int64_t bits) {
    for (int each : widths)
      if (bits == each)
        return true;
    return false;
  }

  /// The largest code.
  constexpr uint32_t maxCode() const { return (1u << bits) - 1; }
  /// The least number of codes that fills whole words.
  constexpr int64_t unitCodes() const { return 32 / std::gcd(bits, 32); }
  /// The words that `codes` codes fill, a whole number of units.
  constexpr int64_t words(int64_t codes) const { return codes * bits / 32; }
  /// The codes of `words` words, a whole number of units.
  constexpr int64_t codes(int64_t words) const { return words * 32 / bits; }
  /// True if a code may lie across two words.
  constexpr bool splits() const { return 32 % bits != 0; }

  /// Code `i` of the line of words that begins at `line` and goes on every
  /// `stride` words.
  constexpr uint32_t get(const int32_t *line, int64_t stride, int64_t i) const {
    int64_t bit = bits * i;
    int64_t last = (bit + bits - 1) / 32;
    auto word = [&](int64_t at) {
      return static_cast<uint64_t>(static_cast<uint32_t>(line[at * stride]));
    };
    uint64_t both = word(bit / 32);
    if (last != bit / 32)
      both |= word(last) << 32;
    return static_cast<uint32_t>(both >> (bit % 32)) & maxCode();
  }

  /// Puts `code` at place `i` of a line of words whose bits there are 0.
  constexpr void put(int32_t *line, int64_t stride, int64_t i,
                     uint32_t code) const {
    int64_t bit = bits * i;
    uint64_t both = static_cast<uint64_t>(code) << (bit % 32);
    auto add = [&](int64_t at, uint64_t part) {
      int32_t &word = line[at * stride];
      word = static_cast<int32_t>(static_cast<uint32_t>(word) |
                                  static_cast<uint32_t>(part));
    };
    add(bit / 32, both);
    if (both >> 32)
      add(bit / 32 + 1, both >> 32);
  }
};

} // namespace nibble

#endif // NIBBLE_CODEC_H
