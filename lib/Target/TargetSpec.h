//===- Target/TargetSpec.h - What code is generated for -------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The GPUs that nibble emits PTX for, and the machine it runs on, each with
// what a schedule and the code generator need to know of it.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TARGET_TARGETSPEC_H
#define NIBBLE_TARGET_TARGETSPEC_H

#include "nibble/Status.h"
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nibble {

/// One target. Equal targets give equal code.
struct TargetSpec {
  /// `host`, or a GPU architecture such as `sm_90a`.
  std::string name;
  /// LLVM's name of the processor.
  std::string cpu;
  /// LLVM's features. On a GPU the PTX version: the lowest that has what the
  /// code uses, since a driver refuses a version newer than itself.
  std::string features;
  /// Shared memory that one program may use on a GPU, in bytes.
  int64_t sharedBytes = 0;
  /// Compute capability of a GPU, 10 * major + minor.
  int capability = 0;
  /// Bits of a vector register of the host.
  int vectorBits = 0;

  bool isHost() const { return name == "host"; }
  bool operator==(const TargetSpec &) const = default;

  /// The target called `name`; the error lists the names there are.
  static Result<TargetSpec> parse(std::string_view name);
  /// The target for GPUs of compute capability `capability` (10 * major +
  /// minor, 90 for 9.0): its own, or the newest whose code such a GPU runs.
  static Result<TargetSpec> forCapability(int capability);
  /// The names of all targets, `host` last.
  static std::vector<std::string> names();
};

} // namespace nibble

#endif // NIBBLE_TARGET_TARGETSPEC_H
