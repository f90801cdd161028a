//===- Layout/LinearMap.cpp - Linear maps over bits -----------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See LinearMap.h. Maps are kept by name; Gaussian elimination works on images
// laid out in one number, the outputs side by side.
//
//===----------------------------------------------------------------------===//

#include "Layout/LinearMap.h"
#include <bit>
#include <cassert>

using namespace nibble::layout;

//===----------------------------------------------------------------------===//
// Coordinates in one number
//===----------------------------------------------------------------------===//

uint64_t nibble::layout::coordinate(const Coordinates &coordinates,
                                    std::string_view name) {
  auto found = coordinates.find(name);
  return found == coordinates.end() ? 0 : found->second;
}

static int countBits(const Axes &axes) {
  int sum = 0;
  for (const auto &[name, bits] : axes)
    sum += bits;
  return sum;
}

/// The coordinates side by side, in the order of `axes`; nothing if a
/// coordinate does not fit its axis.
static std::optional<uint64_t> flatten(const Coordinates &coordinates,
                                       const Axes &axes) {
  uint64_t flat = 0;
  int at = 0;
  for (const auto &[name, bits] : axes) {
    uint64_t value = coordinate(coordinates, name);
    if (static_cast<int>(std::bit_width(value)) > bits)
      return std::nullopt;
    flat |= value << at;
    at += bits;
  }
  for (const auto &[name, value] : coordinates)
    if (value != 0 && axes.find(name) == axes.end())
      return std::nullopt;
  return flat;
}

static Coordinates unflatten(uint64_t flat, const Axes &axes) {
  Coordinates coordinates;
  int at = 0;
  for (const auto &[name, bits] : axes) {
    uint64_t value = flat >> at & ((uint64_t(1) << bits) - 1);
    if (value != 0)
      coordinates[name] = value;
    at += bits;
  }
  return coordinates;
}

/// a ^= b, without coordinates that become 0.
static void addTo(Coordinates &a, const Coordinates &b) {
  for (const auto &[name, value] : b)
    if ((a[name] ^= value) == 0)
      a.erase(name);
}

namespace {

/// The images of a map's input bits in echelon form.
class Echelon {
public:
  explicit Echelon(const LinearMap &map) : outputs(map.outputs()) {
    uint64_t input = 1;
    for (const auto &[name, bits] : map.inputs())
      for (int bit = 0; bit < bits; ++bit, input <<= 1) {
        Row row{*flatten(map.image(name, bit), outputs), input};
        reduce(row);
        // An image that follows from those before it is not needed: the bits
        // that give it stay 0 in every solution.
        if (row.image != 0)
          rows.push_back(row);
      }
  }

  int rank() const { return static_cast<int>(rows.size()); }

  /// Input bits, side by side, whose image is `element`.
  std::optional<uint64_t> solve(const Coordinates &element) const {
    std::optional<uint64_t> image = flatten(element, outputs);
    if (!image)
      return std::nullopt;
    Row row{*image, 0};
    reduce(row);
    return row.image == 0 ? std::optional(row.inputs) : std::nullopt;
  }

private:
  struct Row {
    uint64_t image;
    uint64_t inputs;
  };
  /// Takes out of `row` the leading bits of the rows, in the order in which
  /// they were added: each row has none of the leading bits before its own.
  void reduce(Row &row) const {
    for (const Row &each : rows)
      if (row.image & std::bit_floor(each.image)) {
        row.image ^= each.image;
        row.inputs ^= each.inputs;
      }
  }
  const Axes &outputs;
  std::vector<Row> rows;
};

} // namespace

//===----------------------------------------------------------------------===//
// Maps
//===----------------------------------------------------------------------===//

LinearMap::LinearMap(Images images, Axes outputs)
    : bits(std::move(images)), outputAxes(std::move(outputs)) {
  std::erase_if(bits, [](const auto &input) { return input.second.empty(); });
  std::erase_if(outputAxes, [](const auto &axis) { return axis.second == 0; });
  for (auto &[name, each] : bits)
    for (Coordinates &image : each) {
      std::erase_if(image, [](const auto &one) { return one.second == 0; });
      assert(flatten(image, outputAxes) && "an image beyond the outputs");
    }
  assert(countBits(outputAxes) < 64 && countBits(inputs()) < 64);
}

LinearMap LinearMap::direct(std::string_view input, std::string_view output,
                            int bits) {
  std::vector<Coordinates> images;
  images.reserve(bits);
  for (int bit = 0; bit < bits; ++bit)
    images.push_back({{std::string(output), uint64_t(1) << bit}});
  return LinearMap({{std::string(input), images}},
                   {{std::string(output), bits}});
}

Axes LinearMap::inputs() const {
  Axes axes;
  for (const auto &[name, images] : bits)
    axes[name] = static_cast<int>(images.size());
  return axes;
}

const Coordinates &LinearMap::image(std::string_view input, int bit) const {
  auto found = bits.find(input);
  assert(found != bits.end() &&
         static_cast<size_t>(bit) < found->second.size() && "no such bit");
  return found->second[bit];
}

Coordinates LinearMap::operator()(const Coordinates &place) const {
  Coordinates element;
  for (const auto &[name, value] : place)
    if (auto found = bits.find(name); found != bits.end())
      for (size_t bit = 0; bit < found->second.size(); ++bit)
        if (value >> bit & 1)
          addTo(element, found->second[bit]);
  return element;
}

LinearMap LinearMap::operator*(const LinearMap &high) const {
  Images images = bits;
  Axes axes = outputAxes;
  for (const auto &[name, each] : high.bits)
    for (Coordinates image : each) {
      for (auto &[output, value] : image)
        if (auto below = outputAxes.find(output); below != outputAxes.end())
          value <<= below->second;
      images[name].push_back(std::move(image));
    }
  for (const auto &[name, count] : high.outputAxes)
    axes[name] += count;
  return LinearMap(std::move(images), std::move(axes));
}

LinearMap LinearMap::renamed(
    const std::map<std::string, std::string, std::less<>> &names) const {
  auto name = [&](const std::string &old) {
    auto found = names.find(old);
    return found == names.end() ? old : found->second;
  };
  Images images;
  Axes axes;
  for (const auto &[input, each] : bits)
    for (const Coordinates &image : each) {
      Coordinates &added = images[name(input)].emplace_back();
      for (const auto &[output, value] : image)
        added[name(output)] = value;
    }
  for (const auto &[output, count] : outputAxes)
    axes[name(output)] = count;
  return LinearMap(std::move(images), std::move(axes));
}

LinearMap LinearMap::split(std::string_view input, int lowBits,
                           std::string_view low, std::string_view high) const {
  Images images = bits;
  std::vector<Coordinates> whole = std::move(images[std::string(input)]);
  images.erase(std::string(input));
  for (size_t bit = 0; bit < whole.size(); ++bit)
    images[std::string(static_cast<int>(bit) < lowBits ? low : high)].push_back(
        std::move(whole[bit]));
  return LinearMap(std::move(images), outputAxes);
}

std::optional<LinearMap> LinearMap::after(const LinearMap &first) const {
  Axes own = inputs();
  for (const auto &[name, count] : first.outputAxes)
    if (auto found = own.find(name);
        found == own.end() || found->second < count)
      return std::nullopt;
  Images images = first.bits;
  for (auto &[name, each] : images)
    for (Coordinates &image : each)
      image = (*this)(image);
  return LinearMap(std::move(images), outputAxes);
}

std::optional<LinearMap> LinearMap::inverse() const {
  LinearMap identity;
  for (const auto &[name, count] : outputAxes)
    identity = identity * direct(name, name, count);
  return conversion(identity, *this);
}

int LinearMap::rank() const { return Echelon(*this).rank(); }

bool LinearMap::isInjective() const { return rank() == countBits(inputs()); }

bool LinearMap::isSurjective() const { return rank() == countBits(outputAxes); }

std::optional<std::vector<BitField>> LinearMap::fields() const {
  std::vector<BitField> fields;
  for (const auto &[input, each] : bits)
    for (size_t bit = 0; bit < each.size(); ++bit) {
      if (each[bit].size() != 1 ||
          !std::has_single_bit(each[bit].begin()->second))
        return std::nullopt;
      const auto &[output, value] = *each[bit].begin();
      BitField field{input, static_cast<int>(bit), output,
                     std::countr_zero(value), 1};
      if (!fields.empty()) {
        BitField &last = fields.back();
        if (last.input == input && last.output == output &&
            last.outputBit + last.width == field.outputBit) {
          ++last.width;
          continue;
        }
      }
      fields.push_back(std::move(field));
    }
  return isInjective() ? std::optional(std::move(fields)) : std::nullopt;
}

std::string LinearMap::str() const {
  std::string text;
  for (const auto &[input, each] : bits)
    for (size_t bit = 0; bit < each.size(); ++bit) {
      text += input + " " + std::to_string(uint64_t(1) << bit) + " ->";
      for (const auto &[output, value] : each[bit])
        text += " " + output + " " + std::to_string(value);
      text += each[bit].empty() ? " 0\n" : "\n";
    }
  return text;
}

std::optional<LinearMap> nibble::layout::conversion(const LinearMap &from,
                                                    const LinearMap &to) {
  Echelon echelon(to);
  Axes places = to.inputs();
  LinearMap::Images images;
  for (const auto &[name, count] : from.inputs())
    for (int bit = 0; bit < count; ++bit) {
      std::optional<uint64_t> place = echelon.solve(from.image(name, bit));
      if (!place)
        return std::nullopt;
      images[name].push_back(unflatten(*place, places));
    }
  return LinearMap(std::move(images), std::move(places));
}
