//===- bench/NibbleBench.cpp - QuantLinear for Python's ctypes ------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The few functions of nibble that bench.py calls. Addresses are as PyTorch
// gives them: host memory for a layer's arrays, device memory for x and y.
//
//===----------------------------------------------------------------------===//

#include "nibble/QuantLinear.h"
#include <chrono>
#include <cstring>
#include <sstream>

using namespace nibble;

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {
thread_local std::string lastError;

DType xType(int bfloat) { return bfloat ? DType::BF16 : DType::F16; }

bool failed(const Status &status) {
  if (!status.ok())
    lastError = status.message();
  return !status.ok();
}
} // namespace

/// Why the last call on this thread failed.
EXPORT const char *bench_error() { return lastError.c_str(); }

/// A layer on `device` with `config`'s words, or null. `gIdx` may be null.
EXPORT QuantLinear *bench_create(int bits, int64_t groupSize, int64_t K,
                                 int64_t N, void *qweight, void *qzeros,
                                 void *scales, void *gIdx, const char *device,
                                 const char *config) {
  Codec codec{bits};
  int64_t groups = K / (groupSize < 0 ? K : groupSize);
  QuantLinearArrays arrays;
  arrays.bits = bits;
  arrays.groupSize = groupSize;
  arrays.qweight = TensorView::dense(qweight, DType::I32, {codec.words(K), N});
  arrays.qzeros =
      TensorView::dense(qzeros, DType::I32, {groups, codec.words(N)});
  arrays.scales = TensorView::dense(scales, DType::F16, {groups, N});
  if (gIdx)
    arrays.gIdx = TensorView::dense(gIdx, DType::I32, {K});
  QuantLinearOptions options;
  options.device = device;
  options.config = config;
  Result<QuantLinear> layer = QuantLinear::create(arrays, options);
  return failed(layer.status()) ? nullptr : new QuantLinear(*layer);
}

/// The configuration of the kernel for `rows` rows, into `out` of `size`
/// bytes; 0 if all went well.
EXPORT int bench_prepare(const QuantLinear *layer, int64_t rows, int bfloat,
                         char *out, size_t size) {
  Result<const CompiledKernel *> kernel = layer->prepare(xType(bfloat), rows);
  if (failed(kernel.status()))
    return 1;
  std::string text = (*kernel)->schedule + ": " + (*kernel)->config;
  std::strncpy(out, text.c_str(), size - 1);
  out[size - 1] = 0;
  return 0;
}

/// Tunes. Lines of microseconds and a configuration into `out`; 0 if all went
/// well. The layer runs the fastest of all from then on.
EXPORT int bench_tune(QuantLinear *layer, int64_t rows, int bfloat, char *out,
                      size_t size) {
  Result<std::vector<Candidate>> tried = layer->tune(xType(bfloat), rows);
  if (failed(tried.status()))
    return 1;
  std::ostringstream text;
  for (const Candidate &each : *tried)
    if (each.status.ok())
      text << each.time.median << " " << each.config << "\n";
  std::strncpy(out, text.str().c_str(), size - 1);
  out[size - 1] = 0;
  return 0;
}

static TensorView xOf(const QuantLinear *layer, void *x, int64_t rows,
                      int bfloat) {
  return TensorView::dense(x, xType(bfloat), {rows, layer->inFeatures()});
}

/// The bytes of workspace that bench_forward() needs.
EXPORT size_t bench_workspace(const QuantLinear *layer, void *x, int64_t rows,
                              int bfloat) {
  return layer->workspaceSize(xOf(layer, x, rows, bfloat));
}

/// y [rows, N] = x [rows, K] W on `stream`; 0 if all went well.
EXPORT int bench_forward(const QuantLinear *layer, void *x, void *y,
                         int64_t rows, int bfloat, void *stream,
                         void *workspace, size_t workspaceBytes) {
  return failed(layer->forward(
      xOf(layer, x, rows, bfloat),
      TensorView::dense(y, xType(bfloat), {rows, layer->outFeatures()}), stream,
      {workspace, workspaceBytes}));
}

/// Microseconds of the host for one of `count` such calls, which the device is
/// not waited for; negative if one failed.
EXPORT double bench_host_call(const QuantLinear *layer, void *x, void *y,
                              int64_t rows, int bfloat, void *stream,
                              void *workspace, size_t workspaceBytes,
                              int count) {
  using Clock = std::chrono::steady_clock;
  Clock::time_point begin = Clock::now();
  for (int i = 0; i < count; ++i)
    if (bench_forward(layer, x, y, rows, bfloat, stream, workspace,
                      workspaceBytes))
      return -1;
  std::chrono::duration<double, std::micro> spent = Clock::now() - begin;
  return spent.count() / count;
}

EXPORT void bench_destroy(QuantLinear *layer) { delete layer; }
