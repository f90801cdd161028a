//===- Support/Processors.h - How many threads compute --------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_SUPPORT_PROCESSORS_H
#define NIBBLE_SUPPORT_PROCESSORS_H

#include "llvm/ADT/StringRef.h"
#include <optional>

namespace nibble {

/// How many threads of this process are to compute at a time: NIBBLE_THREADS,
/// else one for each processor (with `cores`: each core) that it may run on,
/// and no more than the quota of its container lets run.
unsigned computeThreads(bool cores);

/// The processors that a quota lets run, rounded up. `text` is what Linux's
/// cpu.max (cgroup v2) holds, `QUOTA PERIOD` in microseconds; nothing if that
/// sets no limit.
std::optional<unsigned> processorsOfQuota(llvm::StringRef text);

} // namespace nibble

#endif // NIBBLE_SUPPORT_PROCESSORS_H
