//===- nibble/nibble.h - nibble for C -------------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checkpoints and layers in plain C99, for C and for all languages that call
// it. A function does what the C++ one of its name does: nibble_layer_forward
// is QuantLinear::forward. nibble/QuantLinear.h and nibble/Checkpoint.h are the
// manual of both; what is said here comes on top.
//
//   nibble_layer *layer;
//   if (nibble_layer_load("model/", "layers.0.up", NULL, &layer) != NIBBLE_OK)
//     return fail(nibble_last_error());
//   int64_t x_shape[] = {tokens, K}, y_shape[] = {tokens, N};
//   nibble_tensor x = {x_data, NIBBLE_F16, 2, x_shape, NULL};
//   nibble_tensor y = {y_data, NIBBLE_F16, 2, y_shape, NULL};
//   if (nibble_layer_reserve_workspace(layer, tokens, NULL) != NIBBLE_OK ||
//       nibble_layer_forward(layer, &x, &y, NULL, NULL, 0) != NIBBLE_OK)
//     return fail(nibble_last_error());
//   nibble_layer_destroy(layer);
//
// Errors. Functions return a nibble_status and give results by pointers, which
// are written on NIBBLE_OK alone; only a pointer to a layer or checkpoint
// becomes NULL on an error. A NULL that is not said to be allowed is refused
// with NIBBLE_INVALID_ARGUMENT and the parameter's name. Nothing is thrown, and
// nothing ends the process; callbacks must throw nothing either, nor longjmp().
//
// Ownership. nibble copies the text and arrays that it is given. Text and
// arrays that it gives belong to the layer or checkpoint they came from, and
// end with it, or with nibble_layer_pack(); those in a callback's argument end
// with the callback.
//
// Threads. Any functions may be called at a time, except that
// nibble_layer_pack(), nibble_layer_destroy() and nibble_checkpoint_close()
// need their object for themselves.
//
// Versions. Within one major version of libnibble.so, functions, values and
// members at the end of structs that begin with `size` are added, and nothing
// else changes. `size` is how much of the struct there is, as whoever makes it
// knows it: NIBBLE_OPTIONS_INIT and its like set it, as do zeros everywhere and
// sizeof the struct in `size`.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_NIBBLE_H
#define NIBBLE_NIBBLE_H

#include "nibble/Export.h"
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

/// Whose fault an error is: nibble::ErrorCode (nibble/Status.h).
typedef int32_t nibble_status;
enum {
  NIBBLE_OK = 0,
  NIBBLE_INVALID_ARGUMENT = 1,
  NIBBLE_INVALID_FILE = 2,
  NIBBLE_NOT_FOUND = 3,
  NIBBLE_UNSUPPORTED = 4,
  NIBBLE_IO_ERROR = 5,
  NIBBLE_COMPILE_ERROR = 6,
  NIBBLE_DEVICE_ERROR = 7,
  NIBBLE_OUT_OF_MEMORY = 8,
  NIBBLE_INTERNAL = 9
};

/// The type of an array's elements: nibble::DType.
typedef int32_t nibble_dtype;
enum { NIBBLE_F16 = 0, NIBBLE_BF16 = 1, NIBBLE_F32 = 2, NIBBLE_I32 = 3 };

/// What a layer is cut along: nibble::ShardAxis.
typedef int32_t nibble_shard_axis;
enum { NIBBLE_SHARD_COLUMN = 0, NIBBLE_SHARD_ROW = 1 };

/// What a layer on a GPU does about a call that it has no kernel for:
/// nibble::TuningPolicy.
typedef int32_t nibble_tuning;
enum {
  NIBBLE_TUNING_HEURISTIC = 0,
  NIBBLE_TUNING_BACKGROUND = 1,
  NIBBLE_TUNING_BLOCKING = 2
};

/// Flags of nibble_options: QuantLinearOptions' members of these names.
enum { NIBBLE_PINNED = 1, NIBBLE_BATCH_INVARIANT = 2 };

/// A checkpoint that is open, as nibble::Checkpoint.
typedef struct nibble_checkpoint nibble_checkpoint;
/// A layer, as nibble::QuantLinear.
typedef struct nibble_layer nibble_layer;

/// An array of the caller's: nibble::TensorView. It never grows.
typedef struct nibble_tensor {
  /// Arrays that are only read may be const all the same.
  void *data;
  nibble_dtype dtype;
  /// 0 to 64.
  int32_t rank;
  /// `rank` extents, outermost first; NULL if there are none.
  const int64_t *shape;
  /// `rank` distances in elements; NULL for a dense row-major array.
  const int64_t *strides;
} nibble_tensor;

/// How a layer is held and run: nibble::QuantLinearOptions. Zeros stand for
/// its defaults. Where a function takes options, NULL does too.
typedef struct nibble_options {
  size_t size;
  const char *device;
  const char *format;
  const char *config;
  const char *schedule;
  nibble_tuning tuning;
  /// NIBBLE_PINNED and NIBBLE_BATCH_INVARIANT, added up.
  uint32_t flags;
} nibble_options;
#define NIBBLE_OPTIONS_INIT                                                    \
  {sizeof(nibble_options), NULL, NULL, NULL, NULL, NIBBLE_TUNING_HEURISTIC, 0}

/// What QuantLinear's functions of these names say.
typedef struct nibble_layer_info {
  size_t size;
  int32_t bits;
  /// 0 or 1, as is the next.
  int32_t act_order;
  int32_t has_bias;
  int64_t group_size;
  int64_t in_features;
  int64_t out_features;
  const char *device;
  /// [in_features * bits / 32, out_features], in host memory.
  const int32_t *weight;
  /// [in_features]; NULL if x is the whole layer's.
  const int32_t *input_rows;
} nibble_layer_info;
#define NIBBLE_LAYER_INFO_INIT                                                 \
  {sizeof(nibble_layer_info), 0, 0, 0, 0, 0, 0, NULL, NULL, NULL}

/// A kernel: what nibble::CompiledKernel says of itself.
typedef struct nibble_kernel {
  size_t size;
  const char *name;
  const char *target;
  const char *config;
  const char *schedule;
  const char *origin;
} nibble_kernel;
#define NIBBLE_KERNEL_INIT {sizeof(nibble_kernel), NULL, NULL, NULL, NULL, NULL}

/// What nibble_layer_prepare_all() has done: nibble::Prepared.
typedef struct nibble_prepared {
  size_t size;
  nibble_dtype dtype;
  int64_t rows;
  size_t done;
  size_t total;
  /// How many configurations were measured now.
  size_t measured;
  const nibble_kernel *kernel;
} nibble_prepared;
typedef void (*nibble_progress)(const nibble_prepared *prepared, void *user);

/// A configuration that nibble_layer_tune() tried: nibble::Candidate.
typedef struct nibble_candidate {
  size_t size;
  const char *config;
  /// Microseconds of a call; infinite where the configuration cannot run.
  double median;
  double p10;
  double p90;
  nibble_status status;
  /// Why it cannot; else empty.
  const char *error;
} nibble_candidate;
typedef void (*nibble_tried)(const nibble_candidate *candidate, void *user);

//===----------------------------------------------------------------------===//
// The library
//===----------------------------------------------------------------------===//

/// The library's version, such as `0.1.0`.
NIBBLE_EXPORT const char *nibble_version(void);

/// The message of the last error on this thread, until its next; empty if there
/// was none.
NIBBLE_EXPORT const char *nibble_last_error(void);

/// nibble::loadKernels() (nibble/JitKernel.h): kernels and times for all layers
/// to come.
NIBBLE_EXPORT nibble_status nibble_load_kernels(const char *path);

/// nibble::saveTuning().
NIBBLE_EXPORT nibble_status nibble_save_tuning(const char *path);

//===----------------------------------------------------------------------===//
// Checkpoints
//===----------------------------------------------------------------------===//

/// Checkpoint::open(). A `format` of NULL believes the checkpoint.
NIBBLE_EXPORT nibble_status nibble_checkpoint_open(
    const char *folder, const char *format, nibble_checkpoint **checkpoint);

/// Closes its files. Layers that were loaded stay. NULL is nothing to close.
NIBBLE_EXPORT nibble_status
nibble_checkpoint_close(nibble_checkpoint *checkpoint);

/// How many names Checkpoint::layerNames() has.
NIBBLE_EXPORT nibble_status nibble_checkpoint_layer_count(
    const nibble_checkpoint *checkpoint, size_t *count);

/// Name `index` of them.
NIBBLE_EXPORT nibble_status nibble_checkpoint_layer_name(
    const nibble_checkpoint *checkpoint, size_t index, const char **name);

/// QuantLinear::load() and loadFused() of an open checkpoint.
NIBBLE_EXPORT nibble_status
nibble_checkpoint_load(const nibble_checkpoint *checkpoint, const char *name,
                       const nibble_options *options, nibble_layer **layer);
NIBBLE_EXPORT nibble_status nibble_checkpoint_load_fused(
    const nibble_checkpoint *checkpoint, const char *const *names, size_t count,
    const nibble_options *options, nibble_layer **layer);

//===----------------------------------------------------------------------===//
// Making layers
//===----------------------------------------------------------------------===//

/// QuantLinear::load() and loadFused() of a folder.
NIBBLE_EXPORT nibble_status nibble_layer_load(const char *folder,
                                              const char *name,
                                              const nibble_options *options,
                                              nibble_layer **layer);
NIBBLE_EXPORT nibble_status nibble_layer_load_fused(
    const char *folder, const char *const *names, size_t count,
    const nibble_options *options, nibble_layer **layer);

/// QuantLinear::create(). `g_idx` and `bias` may be NULL.
NIBBLE_EXPORT nibble_status nibble_layer_create(
    int32_t bits, int64_t group_size, const nibble_tensor *qweight,
    const nibble_tensor *qzeros, const nibble_tensor *scales,
    const nibble_tensor *g_idx, const nibble_tensor *bias,
    const nibble_options *options, nibble_layer **layer);

/// QuantLinear::empty(). It has a bias if `has_bias` is not 0.
NIBBLE_EXPORT nibble_status nibble_layer_empty(
    int32_t bits, int64_t group_size, int64_t in_features, int64_t out_features,
    int32_t has_bias, const nibble_options *options, nibble_layer **layer);

/// QuantLinear::fuse() of `count` layers.
NIBBLE_EXPORT nibble_status nibble_layer_fuse(const nibble_layer *const *parts,
                                              size_t count,
                                              const nibble_options *options,
                                              nibble_layer **layer);

/// QuantLinear::shard(). `layer` stays; `part` is a layer of its own.
NIBBLE_EXPORT nibble_status nibble_layer_shard(const nibble_layer *layer,
                                               int32_t rank, int32_t world,
                                               nibble_shard_axis axis,
                                               const nibble_options *options,
                                               nibble_layer **part);

/// QuantLinear::pack(). `g_idx` and `bias` may be NULL.
NIBBLE_EXPORT nibble_status nibble_layer_pack(nibble_layer *layer,
                                              const nibble_tensor *weight,
                                              const nibble_tensor *scales,
                                              const nibble_tensor *zeros,
                                              const nibble_tensor *g_idx,
                                              const nibble_tensor *bias);

/// Frees the layer, whose work on streams must be done. NULL is nothing to
/// free.
NIBBLE_EXPORT nibble_status nibble_layer_destroy(nibble_layer *layer);

//===----------------------------------------------------------------------===//
// Calling layers
//===----------------------------------------------------------------------===//

/// What the layer is. `info->size` must be set.
NIBBLE_EXPORT nibble_status nibble_layer_get_info(const nibble_layer *layer,
                                                  nibble_layer_info *info);

/// QuantLinear::forward(). `stream` may be NULL, and `workspace` too.
NIBBLE_EXPORT nibble_status nibble_layer_forward(const nibble_layer *layer,
                                                 const nibble_tensor *x,
                                                 const nibble_tensor *y,
                                                 void *stream, void *workspace,
                                                 size_t workspace_bytes);

/// QuantLinear::workspaceSize() of up to `max_rows` rows of anything.
NIBBLE_EXPORT nibble_status nibble_layer_workspace_size(
    const nibble_layer *layer, int64_t max_rows, size_t *bytes);

/// QuantLinear::workspaceSize() of this x.
NIBBLE_EXPORT nibble_status nibble_layer_workspace_size_for(
    const nibble_layer *layer, const nibble_tensor *x, size_t *bytes);

/// QuantLinear::reserveWorkspace(). `stream` may be NULL.
NIBBLE_EXPORT nibble_status nibble_layer_reserve_workspace(nibble_layer *layer,
                                                           int64_t max_rows,
                                                           void *stream);

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

/// QuantLinear::prepare(). `kernel` may be NULL; else `kernel->size` must be
/// set.
NIBBLE_EXPORT nibble_status nibble_layer_prepare(const nibble_layer *layer,
                                                 nibble_dtype dtype,
                                                 int64_t rows,
                                                 nibble_kernel *kernel);

/// QuantLinear::prepareAll(). `progress` may be NULL, and `user`, which is
/// handed to it, too.
NIBBLE_EXPORT nibble_status nibble_layer_prepare_all(
    const nibble_layer *layer, const nibble_dtype *dtypes, size_t dtype_count,
    const int64_t *row_counts, size_t row_count_count, nibble_progress progress,
    void *user);

/// QuantLinear::tune(). `configs` may be NULL if `config_count` is 0: nibble's
/// own then. `tried`, unless it is NULL, is called for each when all are done,
/// the fastest first.
NIBBLE_EXPORT nibble_status nibble_layer_tune(nibble_layer *layer,
                                              nibble_dtype dtype, int64_t rows,
                                              const char *const *configs,
                                              size_t config_count,
                                              nibble_tried tried, void *user);

#ifdef __cplusplus
} // extern "C"
#endif

#endif // NIBBLE_NIBBLE_H
