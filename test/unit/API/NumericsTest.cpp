//===- NumericsTest.cpp - The numerics sweeps on the host
//------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sweep.h"
#include <gtest/gtest.h>

using nibble::test::formatSweep;
using nibble::test::sweep;

TEST(Numerics, Bits2) { sweep(2, nullptr, "host"); }
TEST(Numerics, Bits3) { sweep(3, nullptr, "host"); }
TEST(Numerics, Bits4) { sweep(4, nullptr, "host"); }
TEST(Numerics, Bits8) { sweep(8, nullptr, "host"); }

TEST(Formats, Bits2) { formatSweep(2, nullptr, "host"); }
TEST(Formats, Bits3) { formatSweep(3, nullptr, "host"); }
TEST(Formats, Bits4) { formatSweep(4, nullptr, "host"); }
TEST(Formats, Bits8) { formatSweep(8, nullptr, "host"); }
