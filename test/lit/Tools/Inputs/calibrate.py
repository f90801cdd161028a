"""Layers whose inputs correlate, and how well checkpoints compute them.

Usage: calibrate.py write WEIGHTS INPUTS HELD_OUT
       calibrate.py compare WEIGHTS INPUTS HELD_OUT CHECKPOINT NEAREST LIMIT
The second prints the output errors of two checkpoints on inputs that GPTQ has
not seen, and fails if the first is not below LIMIT times the second's, or not
what GPTQ gives as the paper's authors wrote it, here in float64.
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


def fit(w, bits):
    """Scales and zero points for columns w [rows, N]."""
    low, high = np.minimum(w.min(0), 0), np.maximum(w.max(0), 0)
    scale = np.maximum((high - low) / (2**bits - 1), 2.0**-14).astype(np.float16).astype(np.float64)
    return scale, np.clip(np.round(-low / scale), 0, 2**bits - 1)


def gptq(weight, x, bits, group_size, act_order, static_groups, damp):
    """The quantized weight [K, N], row after row and without blocks."""
    w, h = weight.T.astype(np.float64), x.T @ x
    order = np.argsort(-np.diag(h), kind="stable") if act_order else np.arange(len(h))
    groups = [fit(w[i:i + group_size], bits) for i in range(0, len(h), group_size)]
    w, h = w[order], h[np.ix_(order, order)]
    h += damp * np.mean(np.diag(h)) * np.eye(len(h))
    u = np.linalg.cholesky(np.linalg.inv(h)).T
    for k in range(len(h)):
        if act_order and static_groups:
            scale, zero = groups[order[k] // group_size]
        elif k % group_size == 0:
            scale, zero = fit(w[k:k + group_size], bits)
        to = (np.clip(np.round(w[k] / scale + zero), 0, 2**bits - 1) - zero) * scale
        w[k + 1:] -= np.outer(u[k, k + 1:], (w[k] - to) / u[k, k])
        w[k] = to
    quantized = np.empty_like(w)
    quantized[order] = w
    return quantized


def error(folder, name, weight, x):
    """The output error of a checkpoint's layer."""
    with open(os.path.join(folder, "quantize_config.json")) as file:
        bits = json.load(file)["bits"]
    made = load_file(os.path.join(folder, "model.safetensors"))
    q = unpack(made[name + ".qweight"], bits, 0)
    z = (unpack(made[name + ".qzeros"], bits, 1) + 1) & (2**bits - 1)
    groups = made[name + ".g_idx"]
    w = (q - z[groups]) * made[name + ".scales"][groups].astype(np.float64)
    return output_error(w, weight, x)


def output_error(w, weight, x):
    exact = x @ weight.T.astype(np.float64)
    return np.linalg.norm(x @ w - exact) / np.linalg.norm(exact)


def compare(weights, calibration, held_out, checkpoint, nearest, limit):
    layers, seen, unseen = load_file(weights), load_file(calibration), load_file(held_out)
    with open(os.path.join(checkpoint, "quantize_config.json")) as file:
        config = json.load(file)
    for name, (n, k) in SHAPES.items():
        weight, x = layers[name + ".weight"], unseen[name]
        ours, theirs = (error(folder, name, weight, x) for folder in (checkpoint, nearest))
        reference = output_error(
            gptq(weight, seen[name + ".input"].reshape(-1, k).astype(np.float64), config["bits"],
                 config["group_size"], config["desc_act"], config["static_groups"],
                 config["damp_percent"]), weight, x)
        print(f"{name}: {ours:.5f}, GPTQ in float64 {reference:.5f}, to nearest {theirs:.5f}")
        assert ours < limit * theirs
        assert 0.9 * reference < ours < 1.1 * reference


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(*sys.argv[2:])
    else:
        compare(*sys.argv[2:-1], float(sys.argv[-1]))
