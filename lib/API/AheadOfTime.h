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

#include "Driver/Device.h"
#include "Jit/MeasuredTimes.h"
#include "Model/Layer.h"
#include "Target/TargetSpec.h"
#include "nibble/Compiler.h"
#include "llvm/ADT/ArrayRef.h"
#include <map>
#include <vector>

namespace nibble {

/// By requestKey(), the kernels that layers like `layer` ask for when nothing
/// was tuned, and when what is known are the results `tuned`: with any number
/// of rows of x of type `type`, however it lies in memory, on the host or on a
/// GPU whose code is for `target`.
Result<std::map<std::string, CompileRequest>>
allRequests(const model::Layer &layer, DType type, const std::string &target,
            llvm::ArrayRef<FiledTimes> tuned = {});

/// Those of `results` that are for such calls.
std::vector<FiledTimes> resultsFor(const model::Layer &layer, DType type,
                                   const std::string &target,
                                   llvm::ArrayRef<FiledTimes> results);

/// The multiprocessors of the GPU that `target` stands for where none is named:
/// 132 for sm_90a, an H100's. 0 for the host.
int usualMultiprocessors(const std::string &target);

/// A GPU of so many multiprocessors, and perhaps of fast memory (PackedCost.h),
/// as far as the choice of kernels depends on it.
driver::DeviceProperties propertiesOf(const TargetSpec &spec,
                                      int multiprocessors,
                                      bool fastMemory = false);

} // namespace nibble

#endif // NIBBLE_API_AHEADOFTIME_H
