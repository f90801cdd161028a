"""Writes the seed corpora of the fuzz targets.

Usage: make_seeds.py SOURCE_FOLDER OUT_FOLDER
"""
import json
import pathlib
import re
import struct
import sys

import numpy as np
from safetensors.numpy import save


def split(file):
    """A safetensors file as header and data."""
    length = struct.unpack("<Q", file[:8])[0]
    return file[8 : 8 + length].rstrip(), file[8 + length :]


def layer(bits, group_size, k=32, n=32, bias=True, g_idx=True):
    random = np.random.default_rng(bits)
    groups = k // group_size if group_size > 0 else 1

    def words(*shape):
        return random.integers(-(2**31), 2**31, shape).astype(np.int32)

    tensors = {
        "l.qweight": words(k * bits // 32, n),
        "l.qzeros": words(groups, n * bits // 32),
        "l.scales": np.full((groups, n), 0.01, np.float16),
    }
    if g_idx:
        tensors["l.g_idx"] = random.permutation(np.arange(k) // (k // groups)).astype(np.int32)
    if bias:
        tensors["l.bias"] = np.ones(n, np.float16)
    return save(tensors)


CONFIGS = [
    {"bits": 4, "group_size": 16},
    {"bits": 2, "group_size": -1, "sym": True, "desc_act": False, "quant_method": "gptq"},
    {"w_bit": 8, "q_group_size": 8, "checkpoint_format": "gptq_v2", "pack_dtype": "int32"},
    {"bits": 4, "group_size": 32,
     "dynamic": {"+:.*\\.mlp\\.\\d+": {"bits": 8, "group_size": 16}, "-:x|[a-z]{1,3}": {}}},
    {"model_type": "llama", "quantization_config": {"bits": 4, "groupsize": 32, "format": "gptq"}},
]


def seeds(source):
    safetensors = {
        "raw": b"r" + save({"a": np.arange(3, dtype=np.int32)}, {"format": "pt"}),
        "empty": b"h{}",
    }
    for name, arrays in {
        "ranks": {"s": np.array(1, np.float32), "e": np.zeros((0, 7), np.int64), "h": np.ones((2, 3), np.float16)},
        "bytes": {"b": np.zeros(5, np.bool_), "u": np.zeros((1, 1, 1), np.uint8)},
    }.items():
        safetensors[name] = b"h" + b"\0".join(split(save(arrays)))
    configs = {f"config{i}": json.dumps(each).encode() + b"\0model.layers.1.mlp.2"
               for i, each in enumerate(CONFIGS)}
    checkpoints = {}
    index = json.dumps({"weight_map": {"l.qweight": "m.safetensors"}}).encode()
    for i, (config, bits, group) in enumerate(
        [(CONFIGS[0], 4, 16), (CONFIGS[1], 2, -1), (CONFIGS[2], 8, 8), (CONFIGS[3], 4, 32)]):
        file = layer(bits, group, bias=i % 2 == 0, g_idx=i != 3)
        checkpoints[f"layer{i}"] = b"\0".join(
            [json.dumps(config).encode(), index if i == 1 else b"", *split(file)])
    random = np.random.default_rng(1)
    others = {
        "awq": ({"w_bit": 4, "q_group_size": 16, "quant_method": "awq", "version": "GEMM"}, {
            "l.qweight": random.integers(-(2**31), 2**31, (32, 4)).astype(np.int32),
            "l.qzeros": random.integers(-(2**31), 2**31, (2, 4)).astype(np.int32),
            "l.scales": np.full((2, 32), 0.01, np.float16)}),
        "compressed": ({"quant_method": "compressed-tensors", "format": "pack-quantized",
                        "config_groups": {"group_0": {"targets": ["Linear"], "weights": {
                            "num_bits": 4, "group_size": 16, "strategy": "group", "type": "int",
                            "symmetric": False}}}, "ignore": ["re:.*lm_head"]}, {
            "l.weight_packed": random.integers(-(2**31), 2**31, (32, 4)).astype(np.int32),
            "l.weight_scale": np.full((32, 2), 0.01, np.float16),
            "l.weight_zero_point": random.integers(-(2**31), 2**31, (4, 2)).astype(np.int32),
            "l.weight_shape": np.array([32, 32], np.int64)}),
    }
    for name, (config, arrays) in others.items():
        checkpoints[name] = b"\0".join([json.dumps(config).encode(), b"", *split(save(arrays))])
        configs[name] = json.dumps(config).encode() + b"\0model.layers.1.mlp.2"
    kernels = {}
    for path in [*source.glob("kernels/*.mlir"), *source.glob("test/kernels/*.mlir"),
                 *source.glob("test/lit/Dialect/*.mlir"), *source.glob("test/lit/Transforms/*.mlir")]:
        text = re.sub(r"^ *// (?!-----).*\n", "", path.read_text(), flags=re.M)
        for i, part in enumerate(re.split(r"^// -----.*$", text, flags=re.M)):
            kernels[f"{path.stem}{i}"] = part.strip().encode()
    return {"safetensors": safetensors, "config": configs, "checkpoint": checkpoints,
            "kernel": kernels}


def main():
    source, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    for target, files in seeds(source).items():
        folder = out / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        print(f"{target}: {len(files)} seeds")


if __name__ == "__main__":
    main()
