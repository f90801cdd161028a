"""Runs a random layer through bench/nibble.py on the CPU, and compares with
float64.

Usage: call_by_ctypes.py BENCH_FOLDER LIBRARY
"""
import sys

import numpy as np

sys.path.insert(0, sys.argv[1])
import nibble

K, N, BITS, GROUP, M = 192, 112, 4, 32, 5
random = np.random.default_rng()


def packed(codes):
    """Eight codes a word along the first axis, low bits first."""
    words = sum(codes[i::8].astype(np.uint32) << np.uint32(BITS * i) for i in range(8))
    return np.ascontiguousarray(words)


def tensor(array, dtype):
    return nibble.Tensor(array.ctypes.data, dtype, array.shape)


codes, zeros = (random.integers(0, 16, shape) for shape in ((K, N), (K // GROUP, N)))
scales = random.uniform(0.002, 0.02, zeros.shape).astype(np.float16)
g_idx = random.permutation(np.arange(K) // GROUP).astype(np.int32)
qweight, qzeros = packed(codes), np.ascontiguousarray(packed((zeros.T - 1) & 15).T)
weight = (codes - zeros[g_idx]) * scales[g_idx].astype(np.float64)
x = random.standard_normal((M, K)).astype(np.float16)
y = np.full((M, N), np.nan, np.float16)

library = nibble.Library(sys.argv[2])
layer = nibble.Layer(library, BITS, GROUP, tensor(qweight, nibble.I32), tensor(qzeros, nibble.I32),
                     tensor(scales, nibble.F16), tensor(g_idx, nibble.I32), "cpu", "BLOCK_N=16")
into = tensor(x, nibble.F16), tensor(y, nibble.F16)
print("workspace:", layer.workspace_size(into[0]))
print("kernel:", layer.prepare(nibble.F16, M))
layer.forward(*into)
exact = x.astype(np.float64) @ weight
error = np.linalg.norm(y - exact) / np.linalg.norm(exact)
print("error:", "small" if error < 4e-4 else error)
y[:] = np.nan
us = layer.host_call(*into, None, None, 0, 3)
print("a call:", "some us" if 0 < us < 1e6 else us, "not run" if np.isnan(y).any() else "run")
try:
    layer.tune(nibble.F16, M)
except RuntimeError as refused:
    print("tune:", refused)
try:
    nibble.Layer(library, 5, GROUP, *[tensor(qweight, nibble.I32)] * 2, tensor(scales, nibble.F16), None, "cpu")
except RuntimeError as refused:
    print("create:", refused)
layer.close()
