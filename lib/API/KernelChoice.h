//===- API/KernelChoice.h - Which kernel a layer runs ---------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A layer fixes bits, group size, act-order and bias; a call brings the type of
// x and the number of rows, M. Calls with close M share a kernel: a bucket.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_API_KERNELCHOICE_H
#define NIBBLE_API_KERNELCHOICE_H

#include "Driver/Device.h"
#include "Model/Layer.h"
#include "Transforms/KernelConfig.h"
#include "nibble/Compiler.h"
#include "nibble/Status.h"
#include <optional>
#include <string>
#include <vector>

namespace nibble {

/// The number of buckets, on the host and on a GPU.
inline constexpr int bucketCount = 19;

/// What a call brings that a kernel depends on.
struct CallKind {
  /// The type of x.
  DType type;
  /// A bucket of M.
  int bucket;
  /// On a GPU: 16 bytes divide the address of x and the distance of its rows,
  /// and 4 bytes those of y.
  bool aligned;

  bool operator==(const CallKind &) const = default;
  /// Kinds are numbered from 0 to count - 1.
  static constexpr int count = 3 * bucketCount * 2;
  int number() const {
    return (static_cast<int>(type) * bucketCount + bucket) * 2 + aligned;
  }
};

/// The number of those that the host, or a GPU, tells apart.
int bucketsOf(bool host);

/// The bucket of `rows` rows, which must be positive.
int bucketOf(int64_t rows, bool host);

/// The smallest number of rows of a bucket on a GPU.
int64_t firstRows(int bucket);

/// The largest number of rows of a bucket on a GPU.
int64_t lastRows(int bucket);

/// The number of rows that a bucket's configuration on a GPU is chosen for.
int64_t rowsToChooseFor(int bucket);

/// The power of two that LoRAX's tuner rounds `rows` to: 1, 2, 4 for 3 to 5, 8
/// for 6 to 11, ..., at most 8192. On a GPU a bucket lies within one of them.
int64_t tunedRows(int64_t rows);

/// The smallest number of rows on a GPU that shares what tuning finds with
/// `rows`: those that tunedRows() rounds alike, and which read the same order
/// of weights.
int64_t tuningGroup(int64_t rows);

/// A number of rows to tune for each such group among `first` to `last`, in
/// order: the group's power of two where that is among them.
std::vector<int64_t> rowsToTune(int64_t first, int64_t last);

/// The bucket whose choice serves all numbers of rows of a layer whose results
/// are not to depend on it.
int invariantBucket(bool host);

/// Words that take the place of nibble's own choices: block sizes, GROUP_M and
/// warps (0 if it is not among them), and `packed=1` for the packed order with
/// stages, prefetch (if it is not among them, 0 with wgmma=1 and else -1),
/// splits, wgmma and overlap (if it is not among them, -1).
/// Other words are refused.
Result<KernelConfig> parseOverrides(const std::string &words);

/// The overrides of no words: all is nibble's choice.
KernelConfig noOverrides();

/// The eight configurations of LoRAX's GPTQ kernel as overrides for calls with
/// `rows` rows: each block cut down to the power of two that holds the layer's
/// extent, at least 16; without those that become equal.
std::vector<KernelConfig> loraxConfigs(const model::Layer &layer, int64_t rows);

/// `choice` as parseOverrides() reads it.
std::string overrideWords(const KernelConfig &choice);

/// CallKind::aligned of calls of `layer` on a GPU where x, of type `type`, and
/// y have no gaps.
bool denseIsAligned(const model::Layer &layer, DType type);

/// What to compile for `target` to copy an x of type `type` whose columns are
/// apart.
CompileRequest makeDenseRequest(DType type, const std::string &target);

/// Columns of a row of x that a program of sort_columns may take, a kernel
/// each. The first is for any x; the others hold a row (KernelConfig::held).
inline constexpr int64_t sortedColumns[] = {512, 1024, 2048, 4096, 8192, 16384};
/// The index of the one for calls of `kind`, x's columns `strided` or not. It
/// holds rows that are aligned and fit, by the fewest columns with which
/// programs do not read rows again too often.
size_t sorterFor(const model::Layer &layer, CallKind kind, bool strided,
                 const driver::DeviceProperties &device);

/// What to compile for `target`, which has overlap, to sort the columns of x,
/// of type `type`, before a product (sortsColumns()), by the one of index
/// `sorter`, which may hold rows only where sorterFor() may choose it. What it
/// writes is bf16 if x is, else fp16.
CompileRequest sortColumnsRequest(const model::Layer &layer, DType type,
                                  size_t sorter, const std::string &target);

/// What tuning looks at for calls with `rows` rows, the choice of untuned calls
/// first: the best of packedChoices() for a layer that is `packed`, if any,
/// else nibble's choice and LoRAX's.
std::vector<KernelConfig> tuningConfigs(const model::Layer &layer, int64_t rows,
                                        bool packed,
                                        const driver::DeviceProperties &device);

/// True if all calls of `layer` on `device` read the packed order, unless
/// tuning finds something else.
bool readsPackedAlone(const model::Layer &layer,
                      const driver::DeviceProperties &device,
                      const KernelConfig &overrides,
                      const std::string &schedule);

/// What to compile for `layer` on the host.
CompileRequest hostRequest(const model::Layer &layer, CallKind kind,
                           const KernelConfig &overrides);

/// What to compile for `layer` on `device`, which takes code for `target`, by
/// `schedule` (auto, or one of a GPU). A layer that has a packed order takes it
/// where packedChoices() has something for the rows, unless the schedule or the
/// overrides say otherwise.
CompileRequest gpuRequest(const model::Layer &layer, CallKind kind,
                          const std::string &target,
                          const driver::DeviceProperties &device,
                          const KernelConfig &overrides,
                          const std::string &schedule);

} // namespace nibble

#endif // NIBBLE_API_KERNELCHOICE_H
