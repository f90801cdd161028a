//===- Layout/LinearMap.h - Linear maps over bits -------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How a tile lies over registers, lanes, warps, shared memory and packed words.
//
// Definition. A place in hardware is a few numbers with names, such as
// (register, lane), each in a range of a power of two; so is an element of a
// tile, such as (row, column). A layout gives the element that a place holds.
// It is a map that is linear over bits: XOR of two places goes to XOR of their
// elements,
//
//     L(a ^ b) = L(a) ^ L(b),
//
// and so it is written down by where each single bit of a place goes. In other
// words, a matrix over the field of two elements, with a column for each bit of
// the place and a row for each bit of the element.
//
// A worked table. Operand A of mma.m16n8k16 with elements of 16 bits is 16 x 16
// elements over 32 lanes with 8 elements each:
//
//     register 1 -> column 1        lane  1 -> column 2
//     register 2 -> row 8           lane  2 -> column 4
//     register 4 -> column 8        lane  4 -> row 1
//                                   lane  8 -> row 2
//                                   lane 16 -> row 4
//
// Which element is register 5 of lane 13? 5 = 4 ^ 1 and 13 = 8 ^ 4 ^ 1, so it
// is (column 8) ^ (column 1) ^ (row 2) ^ (row 1) ^ (column 2): row 3, column
// 11. All 256 elements follow from these eight lines.
//
// Products. Most layouts are bits handed out one after another, and a product
// says in which order: in A * B the bits of B stand above the bits of A, in
// each name of places and in each name of elements. The table above is
//
//     direct("register", "column", 1) * direct("lane", "column", 2) *
//     direct("lane", "row", 3) * direct("register", "row", 1) *
//     direct("register", "column", 1)
//
// and with `* direct("warp", "row", 2)` behind it, it is wgmma's A operand for
// the four warps of a warp group.
//
// Conversions. To move a tile from layout A to layout B, look up for each place
// of A the place of B with the same element: B^-1 . A, again a linear map,
// found by Gaussian elimination. Bits that it maps to themselves need no
// movement; if those of the warp stay, shuffles do; if those of the lane stay
// too, a lane only renames its registers.
//
// Why XOR and powers of two. Fragments of tensor cores are permutations of bits
// and need no more. Memory does: chunk ^ (row & 7), the swizzle that keeps
// ldmatrix free of bank conflicts, sends a bit of the row to two bits of the
// offset. It is linear over XOR, not over addition. Edges of a matrix are masks
// of loads and stores, not layouts.
//
// Why from places to elements. A place holds one element, but an element may
// lie at several places: warps that share an operand hold it twice, and the
// bit of the warp goes to nothing. That is a map in this direction alone.
//
// A layout does not say how the bits of one element lie in memory. Codes of a
// few bits in words have a codec for that (PackedOrder.h).
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_LAYOUT_LINEARMAP_H
#define NIBBLE_LAYOUT_LINEARMAP_H

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nibble::layout {

/// A place or an element: numbers by name. A name that is missing is 0.
using Coordinates = std::map<std::string, uint64_t, std::less<>>;

/// The coordinate `name`.
uint64_t coordinate(const Coordinates &coordinates, std::string_view name);

/// The names of places or elements, with the bits of each.
using Axes = std::map<std::string, int, std::less<>>;

/// Consecutive bits of an input that become consecutive bits of an output.
struct BitField {
  std::string input;
  int inputBit;
  std::string output;
  int outputBit;
  int width;
  bool operator==(const BitField &) const = default;
};

/// A linear map over bits between named coordinates. Inputs, and outputs, have
/// 63 bits at most in all.
class LinearMap {
public:
  /// The images of the bits of each input, low bits first.
  using Images = std::map<std::string, std::vector<Coordinates>, std::less<>>;

  /// The map without inputs and outputs: 1 for products.
  LinearMap() = default;
  /// The map that `images` states; each must lie within `outputs`.
  LinearMap(Images images, Axes outputs);
  /// Bits of `input` as bits of `output`.
  static LinearMap direct(std::string_view input, std::string_view output,
                          int bits);

  bool operator==(const LinearMap &) const = default;

  /// The names, and how many bits each has; names without bits are left out.
  Axes inputs() const;
  const Axes &outputs() const { return outputAxes; }
  /// Where bit `bit` of `input` goes, without coordinates that are 0.
  const Coordinates &image(std::string_view input, int bit) const;

  /// The image of `place`; bits beyond an input's are not looked at.
  Coordinates operator()(const Coordinates &place) const;

  /// This map with `high` in the bits above it.
  LinearMap operator*(const LinearMap &high) const;
  /// Names replaced, in inputs and outputs; those not in `names` stay.
  LinearMap
  renamed(const std::map<std::string, std::string, std::less<>> &names) const;
  /// Input `input` as two: its low `lowBits` bits are `low`, the rest `high`.
  LinearMap split(std::string_view input, int lowBits, std::string_view low,
                  std::string_view high) const;

  /// This map after `first`, whose outputs must be inputs of this one; inputs
  /// that it does not give are 0. Nothing if it gives others, or more bits.
  std::optional<LinearMap> after(const LinearMap &first) const;
  /// A map from outputs to inputs with `after` of the two the identity. Where
  /// several places hold an element it gives one of them, with those bits 0
  /// that are not needed. Nothing if the map is not surjective.
  std::optional<LinearMap> inverse() const;

  /// How many bits of the outputs are independent of each other.
  int rank() const;
  /// No element lies at two places.
  bool isInjective() const;
  /// Each element has a place.
  bool isSurjective() const;
  bool isBijective() const { return isInjective() && isSurjective(); }

  /// The map as fields of bits, if each input bit goes to one output bit that
  /// no other goes to: then the image is the sum of the fields. Ordered by
  /// input name and bit.
  std::optional<std::vector<BitField>> fields() const;

  /// A line for each input bit, as in the table above.
  std::string str() const;

private:
  Images bits;
  Axes outputAxes;
};

/// For each place of `from` the place of `to` with the same element: the
/// inverse of `to` after `from`. Nothing if `from` holds an element that `to`
/// does not.
std::optional<LinearMap> conversion(const LinearMap &from, const LinearMap &to);

} // namespace nibble::layout

#endif // NIBBLE_LAYOUT_LINEARMAP_H
