//===- Transforms/KernelConfig.h - What a kernel is compiled for ----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Everything that turns one kernel text into one compiled kernel, apart from
// the target: values of its parameters, what is known of its sizes and of the
// memory it is given, and how the schedule may spread it. It is a value: two
// equal configurations compile to the same code, and the text form round-trips.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TRANSFORMS_KERNELCONFIG_H
#define NIBBLE_TRANSFORMS_KERNELCONFIG_H

#include "nibble/Status.h"
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace nibble {

/// The text form is a list of words, in any order and each once:
///
///   BLOCK_M=64     a compile-time parameter
///   X=f16          a type parameter
///   N%128          a fact: size N is a multiple of 128
///   K<=4096        a fact: size K is at most 4096
///   x@16           a fact: 16 bytes divide matrix x's address and row distance,
///                  and elements of a row lie next to each other
///   warps=4        warps of a program on a GPU
///   stages=2       tiles in flight of a software pipeline on a GPU
///   packed=128     weights are in the packed order, in groups of 128 rows
///   prefetch=2     steps of packed weights in registers at a time; 0 for a
///                  pipeline through shared memory
///   wgmma=1        multiply packed weights by wgmma
///   splits=2       programs that divide K of one block between them
///   overlap=1      start while the kernel before on the stream still runs
///   held=1         hold rows of x in shared memory to gather their columns from
///                  there (docs/architecture.md)
struct KernelConfig {
  std::map<std::string, int64_t> params;
  std::map<std::string, std::string> types;
  std::map<std::string, int64_t> multiples;
  std::map<std::string, int64_t> most;
  std::map<std::string, int64_t> alignments;
  int warps = 4;
  int stages = 1;
  /// 0 for weights in the checkpoint's order.
  int64_t packed = 0;
  int prefetch = 1;
  int splits = 1;
  bool wgmma = false;
  int overlap = 0;
  bool held = false;

  bool operator==(const KernelConfig &) const = default;

  /// The words above in a fixed order. Of a configuration that is not packed,
  /// prefetch, splits, wgmma and overlap only where they are not ordinary; held
  /// only where it is so.
  std::string str() const;
  /// Reads the text form; an error names the word that is not understood.
  static Result<KernelConfig> parse(std::string_view text);
};

} // namespace nibble

#endif // NIBBLE_TRANSFORMS_KERNELCONFIG_H
