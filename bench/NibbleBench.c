//===- bench/NibbleBench.c - What Python is too slow to time --------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// nibble.py here calls nibble's C ABI, all but what is timed on the host.
//
//===----------------------------------------------------------------------===//

#define _POSIX_C_SOURCE 199309L
#include <nibble/nibble.h>
#include <time.h>

static double microseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
}

/// Microseconds of the host for one of `count` calls of nibble_layer_forward(),
/// which the device is not waited for.
NIBBLE_EXPORT nibble_status bench_host_call(const nibble_layer *layer,
                                            const nibble_tensor *x,
                                            const nibble_tensor *y,
                                            void *stream, void *workspace,
                                            size_t workspace_bytes,
                                            int32_t count, double *us) {
  double begin = microseconds();
  for (int32_t i = 0; i < count; ++i) {
    nibble_status status =
        nibble_layer_forward(layer, x, y, stream, workspace, workspace_bytes);
    if (status != NIBBLE_OK)
      return status;
  }
  *us = (microseconds() - begin) / count;
  return NIBBLE_OK;
}
