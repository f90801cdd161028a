//===- nibble/QuantLinear.h - A linear layer with packed weights ----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// y = x W + bias, where W is [K, N] in GPTQ's packing (K = infeatures,
// N = outfeatures; nibble/Codec.h says how codes lie in words):
//
//   W[k, n] = (q[k, n] - z[g, n]) * scales[g, n]       with g = g_idx[k]
//   q[k, n] = code k of column n of qweight
//   z[g, n] = (code n of row g of qzeros + 1) mod 2^bits
//
// Rounding. Scales are kept without loss, as fp16 where that holds all of a
// layer's and as fp32 where it does not. W is rounded once to the type that
// the product is computed in, to nearest even: fp16 for x in fp16 and fp32,
// bf16 for x in bf16; with fp32 scales it is the fp32 product that is rounded.
// On the CPU, W stays in fp32. x in fp32 is rounded to fp16. Products are exact
// and summed in fp32; bias, kept in fp32, is added to the sum, which is rounded
// once to the type of y. Scales that are infinite or not a number give such y.
//
//   Result<QuantLinear> layer = QuantLinear::load("model/", "layers.0.up");
//   if (!layer.ok())
//     return fail(layer.status().message());
//   int64_t K = layer->inFeatures(), N = layer->outFeatures();
//   Status status = layer->reserveWorkspace(batch * tokens);
//   if (status.ok())
//     status =
//         layer->forward(TensorView::dense(x, DType::F16, {batch, tokens, K}),
//                        TensorView::dense(y, DType::F16, {batch, tokens, N}));
//
// Only some calls need a workspace: on a GPU those with x or y in host memory,
// and of layers with act-order; anywhere those with gaps along K.
// A kernel is compiled when a layer first needs it, once for all layers of the
// same kind, and kept on disk for later processes, as is what tune() measures
// (docs/environment.md); prepare() does so ahead of the first call. Which
// configuration of a kernel is fastest can be measured: docs/tuning.md.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_QUANTLINEAR_H
#define NIBBLE_QUANTLINEAR_H

#include "nibble/Checkpoint.h"
#include "nibble/Codec.h"
#include "nibble/Compiler.h"
#include "nibble/Export.h"
#include "nibble/Shard.h"
#include "nibble/Status.h"
#include "nibble/Tensor.h"
#include "nibble/Timing.h"
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nibble {

/// A layer's arrays as checkpoints hold them. nibble copies them.
struct QuantLinearArrays {
  /// 2, 3, 4 or 8. K and N are multiples of the codes that fill whole words:
  /// 16, 32, 8 or 4.
  int bits = 4;
  /// Rows of a group; the last group has fewer if they do not divide K. -1 for
  /// one group of all rows. G = ceil(K / groupSize).
  int64_t groupSize = -1;
  /// i32 [K * bits / 32, N].
  TensorView qweight;
  /// i32 [G, N * bits / 32], zero points minus one.
  TensorView qzeros;
  /// f16, bf16 or f32 [G, N].
  TensorView scales;
  /// i32 [K], each in [0, G), in any order; without it row k is in group
  /// k / groupSize.
  std::optional<TensorView> gIdx;
  /// f16, bf16 or f32 [N].
  std::optional<TensorView> bias;
};

/// What a layer on a GPU does about a call of a kind, a type and about a number
/// of rows, that it has no kernel for. On the CPU nothing is tuned, and all
/// policies are the first.
enum class TuningPolicy {
  /// Runs the best that is known: what tuning measured, in this process or
  /// another, else nibble's own choice.
  Heuristic,
  /// The same, while it is tuned on another thread and stream; later calls run
  /// what was found fastest, whose rounding may differ.
  Background,
  /// Tunes first, for up to about a second.
  Blocking
};

/// How a layer is held and run.
struct QuantLinearOptions {
  /// `cpu`, `cuda:N`, or `auto`: the first GPU that nibble has code for, else
  /// the CPU.
  std::string device = "auto";
  /// For load(): what the checkpoint is, against what it says of itself: `gptq`
  /// (zero points stored minus one), `gptq_v2` (as they are), `awq` or
  /// `compressed-tensors`; empty believes it.
  std::string format;
  /// Words of a configuration (docs/architecture.md) that take the place of
  /// nibble's own choice, such as `BLOCK_M=64 BLOCK_N=128 warps=8`; for tuning.
  /// On a GPU `packed=1` asks for weights in the packed order, with stages,
  /// prefetch, wgmma, splits and overlap among the words.
  std::string config;
  /// auto, or the one schedule to take: host; simt, mma or mma_packed on a GPU.
  /// auto holds weights on a GPU in the orders that its calls read: on sm_90a
  /// the packed one alone, unless tuning tries something else; elsewhere also
  /// the checkpoint's, for more than 64 rows.
  /// With mma or simt there is no packed copy.
  std::string schedule = "auto";
  /// Captured calls do not tune: they run what is known. Tuning takes memory
  /// for x, y and up to 256 MiB or five times L2 of weights, at most half of
  /// what is free, and gives it back.
  TuningPolicy tuning = TuningPolicy::Heuristic;
  /// What a kind of call runs, once prepareAll(), prepare() or the first such
  /// call chose it, stays, whatever is tuned later. With Background
  /// prepareAll() tunes, and calls do not.
  bool pinned = false;
  /// A row's y has the same bits however many rows the call has: one
  /// configuration, whose sums are added up in the same order in every row of
  /// every block, serves all calls of a type. It is the choice for 64 rows (on
  /// the CPU 4), so that others are slower than they could be. Nothing is
  /// tuned.
  bool batchInvariant = false;
};

/// Scratch memory for one call of forward(), the caller's: host memory for a
/// layer on the CPU, device memory for one on a GPU, aligned as malloc() does.
/// On a GPU it must be left alone until the call's work on the stream is done.
struct Workspace {
  void *data = nullptr;
  size_t bytes = 0;
};

/// One configuration that QuantLinear::tune() tried.
struct Candidate {
  /// Words of a configuration, as in QuantLinearOptions::config.
  std::string config;
  /// Infinite where the configuration cannot run.
  CallTime time;
  /// Why it cannot.
  Status status;
};

/// What QuantLinear::prepareAll() has done for one kind of call.
struct Prepared {
  DType type;
  /// The number of rows, of those given, that stands for the kind.
  int64_t rows;
  /// Kinds that are done, this one among them, and all.
  size_t done, total;
  /// It lives as long as the layer does.
  const CompiledKernel *kernel;
  /// What tuning knows of the kind, the fastest first; nothing if the layer's
  /// policy does not tune.
  std::vector<Candidate> candidates;
  /// How many of them were measured now.
  size_t measured;
};

/// Writes the times that this process measured, or found in the cache, for
/// calls that it tuned or ran, to file `path`. An application ships the file,
/// or what `nibble compile --tuning` makes of it, and loadKernels() or
/// NIBBLE_KERNELS reads it: layers then run what was fastest with no tuning, on
/// GPUs of the same kind with the same driver and the same build of nibble.
/// NotFound if nothing was tuned.
NIBBLE_EXPORT Status saveTuning(const std::string &path);

/// A quantized linear layer. Copies share the weights. Any number of threads
/// may call forward() at a time, each with memory of its own. On a GPU a layer
/// keeps its arrays in host memory too, for weight(), shard() and fuse().
class NIBBLE_EXPORT QuantLinear {
public:
  /// A layer that holds nothing, as is one that was moved from: calls refuse it
  /// with InvalidArgument, and its sizes are 0.
  QuantLinear() = default;

  /// A layer of `arrays`. Errors name the array: a wrong type or shape, a
  /// g_idx outside [0, G), bits or a group size that nibble does not take.
  static Result<QuantLinear> create(const QuantLinearArrays &arrays,
                                    const QuantLinearOptions &options = {});

  /// An empty layer, zeros everywhere, to be filled by pack().
  static Result<QuantLinear> empty(int bits, int64_t groupSize,
                                   int64_t inFeatures, int64_t outFeatures,
                                   bool bias,
                                   const QuantLinearOptions &options = {});

  /// Layer `prefix` of the checkpoint in `folder`: GPTQ's (v1 and v2), AWQ's
  /// (GEMM), or compressed-tensors' (pack-quantized). Its tensors are
  /// `prefix`.qweight and so on. Errors name the tensor or the key.
  static Result<QuantLinear> load(const std::string &folder,
                                  const std::string &prefix,
                                  const QuantLinearOptions &options = {});
  /// The same of a checkpoint that is open, for many layers of it;
  /// `options.format` says nothing then.
  static Result<QuantLinear> load(const Checkpoint &checkpoint,
                                  const std::string &prefix,
                                  const QuantLinearOptions &options = {});

  /// The layers `prefixes` next to each other as one, such as q, k and v: its y
  /// is theirs, side by side. They must agree in bits, group size, K and g_idx.
  static Result<QuantLinear> loadFused(const std::string &folder,
                                       const std::vector<std::string> &prefixes,
                                       const QuantLinearOptions &options = {});
  static Result<QuantLinear> loadFused(const Checkpoint &checkpoint,
                                       const std::vector<std::string> &prefixes,
                                       const QuantLinearOptions &options = {});

  /// The same for layers that exist already, such as shards.
  static Result<QuantLinear> fuse(const std::vector<QuantLinear> &parts,
                                  const QuantLinearOptions &options = {});

  /// The part of this layer for `rank` of `world`, as nibble/Shard.h says, held
  /// as `options` say. An error if there are fewer units than ranks.
  Result<QuantLinear> shard(int rank, int world, ShardAxis axis,
                            const QuantLinearOptions &options = {}) const;

  /// Of a row shard: the columns of the whole layer's x that this one's x is
  /// made of, in order. Empty if x is the whole layer's.
  const std::vector<int32_t> &inputRows() const;

  /// Quantizes a full-precision layer into this one, whose sizes, bits and
  /// groups stay: q = round((w + zero * scale) / fp16(scale)), clamped to
  /// [0, maxq]; scales are stored as fp16(scale), as LoRAX's pack() does. All
  /// floating-point arrays may be f16, bf16 or f32.
  ///   weight [N, K]; scales, zeros [N, G], zeros whole numbers in [0, maxq];
  ///   gIdx i32 [K] or nothing; bias [N] or nothing.
  /// On an error the layer is as it was. Not to be called while forward()
  /// runs; copies of the layer made before keep the old weights, and what
  /// weight(), inputRows() and prepare() gave belongs to these.
  Status pack(const TensorView &weight, const TensorView &scales,
              const TensorView &zeros, const std::optional<TensorView> &gIdx,
              const std::optional<TensorView> &bias);

  /// y = x W + bias.
  ///   x [..., K], f16, bf16 or f32, with any strides; f32 is rounded to f16.
  ///   y [..., N], f16 (bf16 if x is), with the leading extents of x and with
  ///   neighbours along N next to each other. y shares no memory with x.
  /// Leading extents may be 0. On the CPU, `stream` is ignored, and the call
  /// returns when y is written; the caller's thread and a pool compute. On a
  /// GPU, `stream` is a stream of the CUDA driver (null: the default); with x
  /// and y in device memory the call only puts work on it, and may be captured
  /// into a graph. x or y in host memory must be dense; it is copied, and with
  /// y there the call returns when y is written. (Page-locked x with y on the
  /// device is to be left alone until the work is done.) Allocates nothing once
  /// the kernel for this type and number of rows is compiled (see prepare()).
  /// `workspace` may be empty where workspaceSize() says 0 for x, or if
  /// reserveWorkspace() was called for `stream`.
  Status forward(const TensorView &x, const TensorView &y,
                 void *stream = nullptr, Workspace workspace = {}) const;

  /// The bytes that forward() needs for up to `maxRows` rows (the product of
  /// the leading extents) of any type and strides.
  size_t workspaceSize(int64_t maxRows) const;
  /// The same for `x` as it is, with y in the same memory: 0 if kernels can
  /// read x, its neighbours along K are next to each other, and the layer does
  /// not sort them first, as one with act-order may on sm_90 and later.
  size_t workspaceSize(const TensorView &x) const;
  /// Holds at least workspaceSize(maxRows) bytes for calls on `stream` (on the
  /// CPU for all) that bring no workspace. They put their work on it one at a
  /// time; threads that are not to wait for each other bring memory of their
  /// own. Asking for more later frees what a graph captured before may use.
  Status reserveWorkspace(int64_t maxRows, void *stream = nullptr);

  /// Compiles the kernel for `rows` rows of type `type`, if no layer of the
  /// same kind has, and describes it. It lives as long as the layer.
  Result<const CompiledKernel *> prepare(DType type, int64_t rows) const;

  /// The same for x and y without gaps of each of `types` and each of
  /// `rowCounts`, with what the layer's policy asks for: with Background and
  /// Blocking it tunes and returns when that is done. Kinds of calls that share
  /// a kernel are done once. `progress`, if there is one, is called after each,
  /// one at a time, from any thread; what it throws, this throws.
  Status
  prepareAll(const std::vector<DType> &types,
             const std::vector<int64_t> &rowCounts,
             const std::function<void(const Prepared &)> &progress = {}) const;

  /// The time of one forward() of `rows` rows of random x of type `type`. On a
  /// GPU: by CUDA events around replays of a graph, with x and y in device
  /// memory and weights that lie out of L2, for which copies of the layer are
  /// made meanwhile (256 MiB or five times the cache). On the CPU: by the wall
  /// clock, one call after another.
  Result<CallTime> measure(DType type, int64_t rows) const;

  /// Measures `configs`, each words as in QuantLinearOptions::config, and runs
  /// the fastest from now on in calls with about `rows` rows of type `type`, of
  /// this layer and of others of the same kind and sizes made after it. The
  /// word `lorax` stands for the eight block configurations of LoRAX's GPTQ
  /// kernel, cut down to the call; without configs it tries nibble's own and
  /// these. Gives what was tried, the fastest first; a configuration that
  /// cannot run is slow, not an error, unless none can. Refuses a layer on the
  /// CPU and a batch invariant one. Calls of a pinned layer that have their
  /// kernel keep it.
  Result<std::vector<Candidate>>
  tune(DType type, int64_t rows, const std::vector<std::string> &configs = {});

  /// The packed weights in the checkpoint's order, i32 [K * bits / 32, N]; they
  /// belong to the layer.
  TensorView weight() const;

  int bits() const;
  /// Rows of a group; K for a layer of one group.
  int64_t groupSize() const;
  int64_t inFeatures() const;
  int64_t outFeatures() const;
  /// True if g_idx is anything but k / groupSize.
  bool actOrder() const;
  bool hasBias() const;
  /// `cpu` or `cuda:N`.
  const std::string &device() const;

private:
  struct State;
  explicit QuantLinear(std::shared_ptr<State> state)
      : state(std::move(state)) {}
  /// What the layer holds; an empty one if that is nothing.
  const State &held() const;
  std::shared_ptr<State> state;
};

} // namespace nibble

#endif // NIBBLE_QUANTLINEAR_H
