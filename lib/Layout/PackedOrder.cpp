//===- Layout/PackedOrder.cpp - Weights in the order of fragments ---------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See PackedOrder.h.
//
//===----------------------------------------------------------------------===//

#include "Layout/PackedOrder.h"
#include "Layout/Fragments.h"
#include <bit>
#include <cassert>

using namespace nibble::layout;

/// The logarithm of a power of two.
static int log2Of(int64_t value) {
  return std::countr_zero(static_cast<uint64_t>(value));
}

static LinearMap layoutOf(int bits) {
  LinearMap fragment =
      mmaA().renamed({{"register", "index"}, {"row", "n"}, {"column", "k"}});
  LinearMap steps = LinearMap::direct("index", "k", log2Of(16 / bits));
  return (fragment * steps).split("index", log2Of(32 / bits), "slot", "word");
}

static LinearMap codecOf(int bits) {
  if (bits == 8)
    return LinearMap({{"slot", {{{"bit", 8}}, {{"bit", 16}}}}}, {{"bit", 5}});
  std::vector<Coordinates> images = {{{"bit", 16}}};
  for (uint64_t bit = static_cast<uint64_t>(bits); bit < 16; bit *= 2)
    images.push_back({{"bit", bit}});
  return LinearMap({{"slot", images}}, {{"bit", 5}});
}

PackedOrder::PackedOrder(int bits)
    : bits(bits), unitLayout(layoutOf(bits)), slotCodec(codecOf(bits)),
      unitPlaces(*unitLayout.inverse()) {
  assert(takes(bits));
}

PackedOrder::Place PackedOrder::placeOf(int64_t k, int64_t n) const {
  Coordinates inUnit =
      unitPlaces({{"k", static_cast<uint64_t>(k % unitRows())},
                  {"n", static_cast<uint64_t>(n % unitColumns)}});
  Coordinates bit = slotCodec({{"slot", coordinate(inUnit, "slot")}});
  auto inLane = static_cast<int64_t>(coordinate(inUnit, "word"));
  auto lane = static_cast<int64_t>(coordinate(inUnit, "lane"));
  return {k / unitRows(),
          n / unitColumns * unitWords + lane * laneWords + inLane,
          static_cast<int>(coordinate(bit, "bit"))};
}
