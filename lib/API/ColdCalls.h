//===- API/ColdCalls.h - Calls of a layer to be timed -----------*- C++ -*-===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_API_COLDCALLS_H
#define NIBBLE_API_COLDCALLS_H

#include "API/State.h"

namespace nibble {

/// x, y and copies of a layer's weights on its device, in one of their orders:
/// enough of them that a call finds none of its weights in L2, up to a number
/// beyond which a small layer is as well measured warm. The memory is given
/// back when this goes. The layer must outlive it.
class QuantLinear::State::ColdCalls {
public:
  static Result<ColdCalls> make(State &state, DType type, int64_t rows,
                                bool packed);

  /// The time of one call by `kernel`, on a stream of its own.
  Result<CallTime> time(const LoadedKernel &kernel) const;

private:
  ColdCalls(State &state, DType type, int64_t rows)
      : state(state), type(type), rows(rows) {}
  State &state;
  DType type;
  int64_t rows;
  std::vector<WeightAddresses> weights;
  /// x, y, what the kernel before the product writes, and the copies' memory.
  std::vector<driver::DeviceBuffer> buffers;
};

} // namespace nibble

#endif // NIBBLE_API_COLDCALLS_H
