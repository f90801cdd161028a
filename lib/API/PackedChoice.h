//===- API/PackedChoice.h - Programs for packed weights ------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The space of configurations of the schedule mma_packed for a layer and a
// number of rows, in the order in which they are worth trying.
//
// From sm_90 on these are pipelines, all that the numbers below span, ranked by
// PackedCost.h. Before, weights go to registers: a list, made from times on an
// H100.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_API_PACKEDCHOICE_H
#define NIBBLE_API_PACKEDCHOICE_H

#include "Driver/Device.h"
#include "Layout/PackedProgram.h"
#include "Model/Layer.h"
#include "Transforms/KernelConfig.h"
#include <optional>
#include <string>
#include <vector>

namespace nibble {

/// A configuration as overrides (KernelChoice.h), and why it cannot run.
struct PackedChoice {
  KernelConfig config;
  std::optional<std::string> refusal;
};

/// The program of `config`, one of those below, for `layer`.
layout::PackedProgram programOf(const model::Layer &layer,
                                const KernelConfig &config);

/// True if calls of `layer` that read its packed order on `device` have x's
/// columns sorted like its rows before, unless holdsColumns() says otherwise:
/// act-order, where a kernel can start while the one that sorts still runs.
/// Elsewhere kernels gather x.
bool sortsColumns(const model::Layer &layer,
                  const driver::DeviceProperties &device);

/// True if programs of `config`, one of packedChoices() or what overrides made
/// of it, hold x (KernelConfig::held) in calls of `bucket` of a layer that
/// sortsColumns(), rather than have it sorted: few rows, which fit beside the
/// stages.
bool holdsColumns(const model::Layer &layer, int bucket,
                  const KernelConfig &config,
                  const driver::DeviceProperties &device);

/// True if there are any for calls with `rows` rows of `layer`.
bool hasPackedChoices(const model::Layer &layer, int64_t rows,
                      const driver::DeviceProperties &device);

/// Configurations for calls with `rows` rows of a layer that has a packed
/// order: those that can run, the best first, ranked as for fp16 in memory that
/// is aligned, then those that cannot. None where the checkpoint's order is
/// better.
std::vector<PackedChoice> packedChoices(const model::Layer &layer, int64_t rows,
                                        const driver::DeviceProperties &device);

/// The same with weights in registers, whatever the device, up to 64 rows.
std::vector<PackedChoice>
registerChoices(const model::Layer &layer, int64_t rows,
                const driver::DeviceProperties &device);

/// The configurations of `choices` that can run.
std::vector<KernelConfig> runnable(const std::vector<PackedChoice> &choices);

} // namespace nibble

#endif // NIBBLE_API_PACKEDCHOICE_H
