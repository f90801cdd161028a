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
#include "nibble/Codec.h"
#include <bit>
#include <cassert>

using namespace nibble;
using namespace nibble::layout;

/// The logarithm of a power of two.
static int log2Of(int64_t value) {
  return std::countr_zero(static_cast<uint64_t>(value));
}

static LinearMap layoutOf(int64_t rows) {
  LinearMap fragment =
      mmaA().renamed({{"register", "index"}, {"row", "n"}, {"column", "k"}});
  return fragment * LinearMap::direct("index", "k", log2Of(rows / 16));
}

/// Whole words of 16 bytes a lane, as wide as a power of two allows, then what
/// is left.
static std::vector<PackedOrder::Plane> planesOf(int bits, int64_t laneCodes) {
  std::vector<PackedOrder::Plane> planes;
  int64_t firstWord = 0;
  for (int done = 0, width; done < bits; done += width) {
    width =
        static_cast<int>(std::bit_floor(static_cast<unsigned>(bits - done)));
    int64_t laneWords = laneCodes * width / 32;
    planes.push_back({done, width, firstWord, laneWords});
    firstWord += 32 * laneWords;
  }
  return planes;
}

int64_t PackedOrder::unitRows(int bits) {
  return 256 / std::bit_floor(static_cast<unsigned>(bits));
}

PackedOrder::PackedOrder(int bits)
    : bits(bits), rows(unitRows(bits)), codePlanes(planesOf(bits, laneCodes())),
      unitLayout(layoutOf(rows)) {
  assert(Codec::takes(bits));
}

int PackedOrder::Plane::bitOf(int64_t index) const {
  auto inWord = static_cast<int>(index % codesPerWord());
  if (width == 8)
    return 8 * inWord;
  if (firstBit == 0)
    return 16 * (inWord % 2) + width * (inWord / 2);
  // Above the low two bits of a code of 3, which are in an even or odd word.
  int low = inWord % 16, oddWord = inWord / 16;
  return (16 * (low % 2) + 2 * (low / 2) + 2 + oddWord) % 32;
}

PackedOrder::Place PackedOrder::placeOf(const Plane &plane, int64_t k,
                                        int64_t n) const {
  Coordinates inUnit =
      (*unitLayout.inverse())({{"k", static_cast<uint64_t>(k % unitRows())},
                               {"n", static_cast<uint64_t>(n % unitColumns)}});
  auto index = static_cast<int64_t>(coordinate(inUnit, "index"));
  auto lane = static_cast<int64_t>(coordinate(inUnit, "lane"));
  return {k / unitRows(),
          n / unitColumns * unitWords() + plane.firstWord +
              lane * plane.laneWords + index / plane.codesPerWord(),
          plane.bitOf(index)};
}
