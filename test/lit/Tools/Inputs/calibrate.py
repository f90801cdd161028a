"""Layers whose inputs correlate, and how well checkpoints compute them.

Usage: calibrate.py write WEIGHTS INPUTS HELD_OUT
       calibrate.py compare WEIGHTS HELD_OUT CHECKPOINT NEAREST LIMIT
The second prints the output errors of two checkpoints, and fails if the first
is not below LIMIT times the second's.
"""
import json
import os
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

from make_linear import unpack

SHAPES = {"up": (96, 256), "down": (64, 192)}  # N, K


def inputs(random, mix, rows, dtype):
    causes = random.standard_normal((rows, mix.shape[0]))
    noise = random.standard_normal((rows, mix.shape[1]))
    return (causes @ mix + 0.3 * noise).astype(dtype)


def write(weights, calibration, held_out):
    random = np.random.default_rng()
    layers, given, unseen = {}, {}, {}
    for (name, (n, k)), dtype in zip(SHAPES.items(), (np.float16, np.float32)):
        layers[name + ".weight"] = (0.02 * random.standard_normal((n, k))).astype(np.float16)
        mix = random.standard_normal((16, k))
        given[name + ".input"] = inputs(random, mix, 1024, dtype).reshape(2, 512, k)
        unseen[name] = inputs(random, mix, 256, np.float64)
    layers["up.bias"] = random.standard_normal(96).astype(np.float16)
    save_file(layers, weights)
    save_file(given, calibration)
    save_file(unseen, held_out)


def error(folder, name, weight, x):
    with open(os.path.join(folder, "quantize_config.json")) as file:
        bits = json.load(file)["bits"]
    made = load_file(os.path.join(folder, "model.safetensors"))
    q = unpack(made[name + ".qweight"], bits, 0)
    z = (unpack(made[name + ".qzeros"], bits, 1) + 1) & (2**bits - 1)
    groups = made[name + ".g_idx"]
    w = (q - z[groups]) * made[name + ".scales"][groups].astype(np.float64)
    exact = x @ weight.T.astype(np.float64)
    return np.linalg.norm(x @ w - exact) / np.linalg.norm(exact)


def compare(weights, held_out, checkpoint, nearest, limit):
    layers, unseen = load_file(weights), load_file(held_out)
    for name in SHAPES:
        weight = layers[name + ".weight"]
        ours, theirs = (error(folder, name, weight, unseen[name])
                        for folder in (checkpoint, nearest))
        print(f"{name}: {ours:.5f}, to nearest {theirs:.5f}")
        assert ours < limit * theirs


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(*sys.argv[2:])
    else:
        compare(*sys.argv[2:-1], float(sys.argv[-1]))
