"""Writes a GPTQ checkpoint whose layers have scales that make y no number.

Usage: make_odd_scales.py FOLDER
"""
import json
import pathlib
import sys

import numpy as np
from safetensors.numpy import save_file

K, N, GROUP = 128, 64, 32
random = np.random.default_rng()
tensors = {}


def layer(name, scales, **more):
    def words(*shape):
        return random.integers(-2**31, 2**31, shape, dtype=np.int64).astype(np.int32)

    tensors.update({
        f"{name}.qweight": words(K // 8, N),
        f"{name}.qzeros": words(K // GROUP, N // 8),
        f"{name}.scales": scales.astype(np.float16),
        f"{name}.g_idx": (np.arange(K) // GROUP).astype(np.int32),
    } | {f"{name}.{part}": array for part, array in more.items()})


def ordinary():
    return random.uniform(0.01, 0.02, (K // GROUP, N))


def one(value):
    scales = ordinary()
    scales[random.integers(K // GROUP), random.integers(N)] = value
    return scales


layer("ordinary", ordinary())
layer("infinite", one(np.inf))
layer("none", one(np.nan))
layer("large", one(60000))
# Weights of up to 30000: about half of y overflows.
layer("limit", ordinary() * 1e5)
layer("all", np.full((K // GROUP, N), np.nan))
bias = random.standard_normal(N).astype(np.float32)
bias[:3] = np.nan, np.inf, -1e6
layer("bias", ordinary(), bias=bias)

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True)
save_file(tensors, folder / "model.safetensors")
(folder / "quantize_config.json").write_text(json.dumps({"bits": 4, "group_size": GROUP, "desc_act": False}))
