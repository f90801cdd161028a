//===- API/AheadOfTime.h - All kernels that a layer may need --------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What to compile where there is no GPU, so that nothing is left to compile
// where there is one.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_API_AHEADOFTIME_H
#define NIBBLE_API_AHEADOFTIME_H

#include "Model/Layer.h"
#include "nibble/Compiler.h"
#include <map>

namespace nibble {

/// By requestKey(), the kernels that layers like `layer` ask for when nothing
/// was tuned: with any number of rows of x of type `type`, however it lies in
/// memory, on the host or on a GPU whose code is for `target`.
Result<std::map<std::string, CompileRequest>>
allRequests(const model::Layer &layer, DType type, const std::string &target);

} // namespace nibble

#endif // NIBBLE_API_AHEADOFTIME_H
