"""Writes full-precision linear layers, or checks a checkpoint made from them.

Usage: make_linear.py FILE [--check CHECKPOINT LIMIT]
"""
import json
import os
import sys

import numpy as np
from safetensors.numpy import load_file, save_file


def write(path):
    random = np.random.default_rng()
    save_file({
        "half.weight": random.standard_normal((64, 128)).astype(np.float16),
        "single.weight": random.standard_normal((96, 64)).astype(np.float32),
        "single.bias": random.standard_normal(96).astype(np.float32),
        "zero.weight": np.zeros((32, 64), np.float16),
        "model.embed_tokens.weight": random.standard_normal((32, 64)).astype(np.float16),
        "final_norm.weight": np.ones(64, np.float32),
        "lm_head.weight": random.standard_normal((32, 64)).astype(np.float16),
        "conv.weight": random.standard_normal((2, 2, 2)).astype(np.float32),
    }, path)


def unpack(words, bits, axis):
    """A line of words is one stream of bits, low bits first."""
    words = np.moveaxis(words.view(np.uint32), axis, 0)
    stream = np.stack([words >> np.uint32(j) & np.uint32(1) for j in range(32)], 1)
    stream = stream.reshape((-1, bits) + words.shape[1:]).astype(np.int64)
    codes = sum(stream[:, j] << j for j in range(bits))
    return np.moveaxis(codes, 0, axis)


def check(path, folder, limit):
    given, made = load_file(path), load_file(os.path.join(folder, "model.safetensors"))
    with open(os.path.join(folder, "quantize_config.json")) as file:
        config = json.load(file)
    bits = config["bits"]
    for name in ("half", "single", "zero"):
        q = unpack(made[name + ".qweight"], bits, 0)
        z = (unpack(made[name + ".qzeros"], bits, 1) + 1) & (2**bits - 1)
        groups = made[name + ".g_idx"]
        w = (q - z[groups]) * made[name + ".scales"][groups].astype(np.float64)
        exact = given[name + ".weight"].T.astype(np.float64)
        error = np.linalg.norm(w - exact) / max(np.linalg.norm(exact), 1e-30)
        assert error <= limit, (name, error)
    assert np.array_equal(made["single.bias"], given["single.bias"])
    for name in ("model.embed_tokens.weight", "final_norm.weight", "lm_head.weight", "conv.weight"):
        assert made[name].dtype == given[name].dtype
        assert np.array_equal(made[name], given[name])


if __name__ == "__main__":
    if "--check" in sys.argv:
        check(sys.argv[1], sys.argv[3], float(sys.argv[4]))
    else:
        write(sys.argv[1])
