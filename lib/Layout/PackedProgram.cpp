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
  int64_t most = wgmma ? mostWgmmaRows : mostRows;
  if (blockM < 8 || blockM % 8 || blockM > most)
    return "has " + number(blockM) + " rows, not a multiple of 8 up to " +
           number(most);
  if (blockK < warpRows || blockK % warpRows)
    return "has " + number(blockK) + " steps over K, not a multiple of " +
           number(warpRows);
  std::string who = wgmma ? " groups of 4 warps" : " warps";
  if (wgmma && !pipelined())
    return "multiplies by wgmma, which needs prefetch=0";
  if (holds() && (!pipelined() || wgmma))
    return "holds x in shared memory, which needs prefetch=0 and no wgmma";
  if (warps % unitWarps())
    return "has " + number(warps) + " warps, of which wgmma takes 4 at a time";
  if (warps % (unitWarps() * warpsK()))
    return "has " + number(blockK) + " steps over K, which " +
           number(warps / unitWarps()) + who + " cannot divide into parts of " +
           number(warpRows);
  if (blockN < tileWidth() || blockN % (tileWidth() * warpsN()))
    return "has " + number(blockN) + " columns, which " + number(warpsN()) +
           who + " cannot divide into tiles of " + number(tileWidth());
  if (int64_t unit = Codec{static_cast<int>(bits)}.unitCodes(); blockN % unit)
    return "has " + number(blockN) + " columns, not a multiple of the " +
           number(unit) + " whose zero points of " + number(bits) +
           " bits fill words";
  if (stages < 2)
    return "has " + number(stages) + " stages, expected at least 2";
  // A warp meets every warpsK-th stage; it must always be the same ones, and
  // more than the one that it holds.
  if (pipelined() && (stages % warpsK() || stages < 2 * warpsK()))
    return "has " + number(stages) + " stages for " + number(warpsK()) +
           " parts of K, not a multiple of which there are at least 2 each";
  if (threads() > 1024)
    return "has " + number(threads()) + " threads, more than 1024";
  int64_t room = mostRegisters() - otherRegisters;
  if (registers() > room)
    return "keeps " + number(registers()) +
           " registers a thread, more than the " + number(room) + " of " +
           number(threads()) + " threads";
  if (sharedBytes() > available)
    return "needs " + number(sharedBytes()) +
           " bytes of shared memory, more than " + number(available);
  return std::nullopt;
}
