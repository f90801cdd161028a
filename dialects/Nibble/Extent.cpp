//===- Nibble/Extent.cpp - Arithmetic on named parameters -----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Extent.h for the normal form that everything here keeps.
//
//===----------------------------------------------------------------------===//

#include "Nibble/Extent.h"
#include "llvm/Support/MathExtras.h"
#include <numeric>
#include <set>

using namespace nibble::ir;
using Ratio = Extent::Ratio;

int64_t nibble::ir::commonDivisor(int64_t a, int64_t b) {
  auto magnitude = [](int64_t value) {
    auto bits = static_cast<uint64_t>(value);
    return value < 0 ? 0 - bits : bits;
  };
  return static_cast<int64_t>(
      std::min(std::gcd(magnitude(a), magnitude(b)), uint64_t(1) << 62));
}

namespace {

/// a * b in lowest terms, or nothing when it leaves 64 bits.
std::optional<Ratio> multiply(Ratio a, Ratio b) {
  int64_t left = commonDivisor(a.numerator, b.denominator);
  int64_t right = commonDivisor(b.numerator, a.denominator);
  Ratio result;
  if (llvm::MulOverflow(a.numerator / left, b.numerator / right,
                        result.numerator) ||
      llvm::MulOverflow(a.denominator / right, b.denominator / left,
                        result.denominator))
    return std::nullopt;
  return result;
}

/// a + b in lowest terms, or nothing when it leaves 64 bits.
std::optional<Ratio> sum(Ratio a, Ratio b) {
  int64_t left, right;
  Ratio result;
  if (llvm::MulOverflow(a.numerator, b.denominator, left) ||
      llvm::MulOverflow(b.numerator, a.denominator, right) ||
      llvm::AddOverflow(left, right, result.numerator) ||
      llvm::MulOverflow(a.denominator, b.denominator, result.denominator))
    return std::nullopt;
  int64_t common = commonDivisor(result.numerator, result.denominator);
  result.numerator /= common;
  result.denominator /= common;
  return result;
}

/// A product of sums has terms without end, and a kernel's text may come from a
/// stranger.
constexpr size_t maxTerms = 64;
constexpr int maxPower = 64;

void addPowers(Extent::Powers &into, const Extent::Powers &from, int sign) {
  for (const auto &[name, power] : from) {
    int &held = into[name];
    held += sign * power;
    if (held == 0)
      into.erase(name);
  }
}

} // namespace

Extent Extent::constant(int64_t value) {
  Extent result;
  if (value != 0)
    result.terms[{}] = {value, 1};
  return result;
}

Extent Extent::name(llvm::StringRef name) {
  Extent result;
  result.terms[{{name.str(), 1}}] = {1, 1};
  return result;
}

std::optional<Extent> Extent::add(const Extent &a, const Extent &b,
                                  int64_t sign) {
  Extent result = a;
  for (const auto &[powers, ratio] : b.terms) {
    std::optional<Ratio> signedRatio = multiply(ratio, {sign, 1});
    if (!signedRatio)
      return std::nullopt;
    Ratio &held = result.terms[powers];
    std::optional<Ratio> total = sum(held, *signedRatio);
    if (!total)
      return std::nullopt;
    held = *total;
    if (held.numerator == 0)
      result.terms.erase(powers);
  }
  if (result.terms.size() > maxTerms)
    return std::nullopt;
  return result;
}

std::optional<Extent> Extent::plus(const Extent &other) const {
  return add(*this, other, 1);
}

std::optional<Extent> Extent::minus(const Extent &other) const {
  return add(*this, other, -1);
}

std::optional<Extent> Extent::times(const Extent &other) const {
  Extent result;
  for (const auto &[leftPowers, leftRatio] : terms) {
    for (const auto &[rightPowers, rightRatio] : other.terms) {
      std::optional<Ratio> ratio = multiply(leftRatio, rightRatio);
      if (!ratio)
        return std::nullopt;
      Extent product;
      Powers powers = leftPowers;
      addPowers(powers, rightPowers, 1);
      for (const auto &[name, power] : powers)
        if (std::abs(power) > maxPower)
          return std::nullopt;
      product.terms[powers] = *ratio;
      std::optional<Extent> total = result.plus(product);
      if (!total)
        return std::nullopt;
      result = *total;
    }
  }
  return result;
}

std::optional<Extent> Extent::dividedBy(const Extent &other) const {
  if (other.terms.size() != 1)
    return std::nullopt;
  const auto &[powers, ratio] = *other.terms.begin();
  if (ratio.numerator == INT64_MIN)
    return std::nullopt;
  Extent inverse;
  Powers inversePowers;
  addPowers(inversePowers, powers, -1);
  int64_t sign = ratio.numerator < 0 ? -1 : 1;
  inverse.terms[inversePowers] = {sign * ratio.denominator,
                                  sign * ratio.numerator};
  return times(inverse);
}

std::optional<Ratio> Extent::asRatio() const {
  if (terms.empty())
    return Ratio();
  const auto &[powers, ratio] = *terms.begin();
  if (terms.size() != 1 || !powers.empty())
    return std::nullopt;
  return ratio;
}

std::optional<int64_t> Extent::asInteger() const {
  std::optional<Ratio> ratio = asRatio();
  if (!ratio || ratio->denominator != 1)
    return std::nullopt;
  return ratio->numerator;
}

bool Extent::isName() const {
  if (terms.size() != 1)
    return false;
  const auto &[powers, ratio] = *terms.begin();
  return ratio == Ratio{1, 1} && powers.size() == 1 &&
         powers.begin()->second == 1;
}

void Extent::forEachName(
    llvm::function_ref<void(llvm::StringRef)> visit) const {
  std::set<llvm::StringRef> seen;
  for (const auto &[powers, ratio] : terms)
    for (const auto &[name, power] : powers)
      if (seen.insert(name).second)
        visit(name);
}

void Extent::forEachTerm(
    llvm::function_ref<void(Ratio, const Powers &)> visit) const {
  for (const auto &[powers, ratio] : terms)
    visit(ratio, powers);
}

std::optional<Extent> Extent::substitute(
    llvm::function_ref<std::optional<Extent>(llvm::StringRef)> replacement)
    const {
  Extent result;
  for (const auto &[powers, ratio] : terms) {
    Extent product;
    product.terms[{}] = ratio;
    for (const auto &[factor, power] : powers) {
      Extent base = replacement(factor).value_or(name(factor));
      for (int i = 0, e = std::abs(power); i < e; ++i) {
        std::optional<Extent> next =
            power > 0 ? product.times(base) : product.dividedBy(base);
        if (!next)
          return std::nullopt;
        product = *next;
      }
    }
    std::optional<Extent> total = result.plus(product);
    if (!total)
      return std::nullopt;
    result = *total;
  }
  return result;
}

bool Extent::isWhole() const {
  for (const auto &[powers, ratio] : terms) {
    if (ratio.denominator != 1)
      return false;
    for (const auto &[name, power] : powers)
      if (power < 0)
        return false;
  }
  return true;
}

std::string Extent::str() const {
  if (terms.empty())
    return "0";
  std::string text;
  for (const auto &[powers, ratio] : terms) {
    int64_t numerator = ratio.numerator;
    if (!text.empty())
      text += numerator < 0 ? " - " : " + ";
    else if (numerator < 0)
      text += "-";
    // Kept unsigned: the magnitude of INT64_MIN does not fit a signed word.
    uint64_t magnitude = numerator < 0 ? -uint64_t(numerator) : numerator;
    std::string above;
    auto append = [](std::string &to, llvm::StringRef factor) {
      if (!to.empty())
        to += " * ";
      to += factor;
    };
    if (magnitude != 1)
      append(above, std::to_string(magnitude));
    for (const auto &[name, power] : powers)
      for (int i = 0; i < power; ++i)
        append(above, name);
    text += above.empty() ? "1" : above;
    // Each divisor is written on its own: a / b / c needs no parentheses.
    for (const auto &[name, power] : powers)
      for (int i = 0; i < -power; ++i)
        text += " / " + name;
    if (ratio.denominator != 1)
      text += " / " + std::to_string(ratio.denominator);
  }
  return text;
}
