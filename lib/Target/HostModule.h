//===- Target/HostModule.h - Host code in this process --------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loads an object file that CodeGen emitted, so that its kernels can be called.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TARGET_HOSTMODULE_H
#define NIBBLE_TARGET_HOSTMODULE_H

#include "nibble/Status.h"
#include <memory>
#include <string>

namespace nibble {

/// The code of one object file, callable while this lives.
class HostModule {
public:
  /// Loads `object`. The code may call nothing outside of it: a name that is
  /// not defined in it is an error that names it.
  static Result<std::unique_ptr<HostModule>> load(const std::string &object);
  ~HostModule();

  /// The address of function `name`.
  Result<void *> find(const std::string &name);

private:
  struct State;
  explicit HostModule(std::unique_ptr<State> state);
  std::unique_ptr<State> state;
};

} // namespace nibble

#endif // NIBBLE_TARGET_HOSTMODULE_H
