//===- Layout/Fragments.cpp - Operands of tensor cores in registers -------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Fragments.h.
//
//===----------------------------------------------------------------------===//

#include "Layout/Fragments.h"

using namespace nibble::layout;

/// The 8 x 8 elements that every fragment is made of: each lane holds two
/// neighbours along `inner`, four lanes a line, eight lines along `outer`.
static LinearMap core(std::string_view outer, std::string_view inner) {
  return LinearMap::direct("register", inner, 1) *
         LinearMap::direct("lane", inner, 2) *
         LinearMap::direct("lane", outer, 3);
}

LinearMap nibble::layout::mmaA() {
  return core("row", "column") * LinearMap::direct("register", "row", 1) *
         LinearMap::direct("register", "column", 1);
}

LinearMap nibble::layout::mmaB() {
  return core("column", "row") * LinearMap::direct("register", "row", 1);
}

LinearMap nibble::layout::mmaC() {
  return core("row", "column") * LinearMap::direct("register", "row", 1);
}

LinearMap nibble::layout::ldmatrixX4(bool transposed) {
  return (transposed ? core("column", "row") : core("row", "column")) *
         LinearMap::direct("register", "matrix", 2);
}

LinearMap nibble::layout::ldmatrixAddresses() {
  return LinearMap::direct("lane", "row", 3) *
         LinearMap::direct("lane", "matrix", 2);
}

LinearMap nibble::layout::wgmmaA() {
  return mmaA() * LinearMap::direct("warp", "row", 2);
}
