//===- Layout/PackedProgram.cpp - A program that reads packed weights -----===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See PackedProgram.h.
//
//===----------------------------------------------------------------------===//

#include "Layout/PackedProgram.h"
#include "nibble/Codec.h"

using namespace nibble;
using namespace nibble::layout;

std::optional<std::string> PackedProgram::refusal(int64_t available) const {
  auto number = [](int64_t value) { return std::to_string(value); };
  if (groupRows % 16)
    return "has groups of " + number(groupRows) + " rows, not a multiple of 16";
  if (blockM < 8 || blockM % 8 || blockM > mostRows)
    return "has " + number(blockM) + " rows, not a multiple of 8 up to " +
           number(mostRows);
  if (blockK < warpRows || blockK % warpRows)
    return "has " + number(blockK) + " steps over K, not a multiple of " +
           number(warpRows);
  if (warps % warpsK())
    return "has " + number(blockK) + " steps over K, which " + number(warps) +
           " warps cannot divide into parts of " + number(warpRows);
  if (blockN < tileColumns || blockN % (tileColumns * warpsN()))
    return "has " + number(blockN) + " columns, which " + number(warpsN()) +
           " warps cannot divide into tiles of " + number(tileColumns);
  if (int64_t unit = Codec{static_cast<int>(bits)}.unitCodes(); blockN % unit)
    return "has " + number(blockN) + " columns, not a multiple of the " +
           number(unit) + " whose zero points of " + number(bits) +
           " bits fill words";
  if (stages < 2)
    return "has " + number(stages) + " stages, expected at least 2";
  int64_t most = std::min<int64_t>(255, 65536 / threads()) - otherRegisters;
  if (registers() > most)
    return "keeps " + number(registers()) +
           " registers a thread, more than the " + number(most) + " of " +
           number(threads()) + " threads";
  if (sharedBytes() > available)
    return "needs " + number(sharedBytes()) +
           " bytes of shared memory, more than " + number(available);
  return std::nullopt;
}
