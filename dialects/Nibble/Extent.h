//===- Nibble/Extent.h - Arithmetic on named parameters -------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A kernel text says `BLOCK_K * BITS / 32` where a compiled kernel says 16.
// An extent is such an expression in a normal form, so that two extents are
// equal when, and only when, they are equal for every value of the names.
//
// The normal form is a sum of monomials, each a rational coefficient times
// whole (also negative) powers of names:
//
//   written                        normal form
//   -----------------------------  ----------------------------
//   BLOCK_K / (32 / BITS)          BITS * BLOCK_K / 32
//   BLOCK_K * BITS / 32            BITS * BLOCK_K / 32
//   2 * (M + 1) - 2                2 * M
//   32 / BITS                      32 / BITS
//
// Division is exact. It is a statement about the names, which declared
// divisibility must support: with "K is a multiple of 32 / BITS" the extent
// `K * BITS / 32` is whole, because writing K as (32 / BITS) * k leaves k.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_DIALECT_EXTENT_H
#define NIBBLE_DIALECT_EXTENT_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace nibble::ir {

/// The greatest common divisor of any two numbers: one more halving where it
/// would be 2^63, which int64_t does not hold.
int64_t commonDivisor(int64_t a, int64_t b);

/// A sum of monomials over named parameters, always in normal form.
class Extent {
public:
  /// The powers of a monomial: name -> exponent, never 0.
  using Powers = std::map<std::string, int, std::less<>>;
  /// A coefficient in lowest terms; the denominator is positive.
  struct Ratio {
    int64_t numerator = 0;
    int64_t denominator = 1;
    bool operator==(const Ratio &) const = default;
  };

  /// The extent 0.
  Extent() = default;
  /// A number.
  static Extent constant(int64_t value);
  /// A name to the power of one.
  static Extent name(llvm::StringRef name);

  bool operator==(const Extent &) const = default;

  /// The arithmetic returns nothing when a coefficient leaves 64 bits or the
  /// result has more than 64 monomials or powers beyond 64, and division also
  /// when the divisor is 0 or has more than one monomial.
  std::optional<Extent> plus(const Extent &other) const;
  std::optional<Extent> minus(const Extent &other) const;
  std::optional<Extent> times(const Extent &other) const;
  std::optional<Extent> dividedBy(const Extent &other) const;

  /// The number this extent is, if it holds no name.
  std::optional<Ratio> asRatio() const;
  /// The same if it is whole.
  std::optional<int64_t> asInteger() const;
  /// True when the extent is one name to the power of one.
  bool isName() const;
  /// Calls `visit` with each name once.
  void forEachName(llvm::function_ref<void(llvm::StringRef)> visit) const;

  /// Calls `visit` with each monomial.
  void forEachTerm(llvm::function_ref<void(Ratio, const Powers &)> visit) const;

  /// Replaces names by extents; `replacement` gives nothing for a name that
  /// stays. Nothing when the arithmetic fails (see plus).
  std::optional<Extent> substitute(
      llvm::function_ref<std::optional<Extent>(llvm::StringRef)> replacement)
      const;

  /// True when every monomial has a whole coefficient and no negative power,
  /// so that whole values of the names give a whole value of the extent.
  bool isWhole() const;

  /// The normal form as text, which parses back to the same extent.
  std::string str() const;

private:
  static std::optional<Extent> add(const Extent &a, const Extent &b,
                                   int64_t sign);
  std::map<Powers, Ratio> terms;
};

} // namespace nibble::ir

#endif // NIBBLE_DIALECT_EXTENT_H
