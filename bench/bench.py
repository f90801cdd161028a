#!/usr/bin/env python3
# Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times nibble, the seed's kernel on Triton, and cuBLAS in one process.

Every point is a CUDA graph of at least 20 calls that rotate over at least 256
MiB of weights, replayed; the time is the median over replays, divided by the
calls. Every result is checked against a float64 product. README.md has the
format of what is written.
"""

import argparse
import datetime
import json
import math
import pathlib
import subprocess
import sys
from types import SimpleNamespace

import torch

import nibble
import seed

COLD_BYTES = 256 << 20


def random_layer(K, N, bits, group, act_order, gain=None):
    """A layer's arrays on the GPU. With `gain` y is about that many times as large as x."""
    groups = K // group
    codes = lambda *shape: torch.randint(-2**31, 2**31, shape, dtype=torch.int64, device="cuda").to(torch.int32)
    layer = SimpleNamespace(
        qweight=codes(K * bits // 32, N), qzeros=codes(groups, N * bits // 32),
        scales=(torch.rand(groups, N, device="cuda") * 0.008 + 0.002).half(),
        g_idx=(torch.arange(K, device="cuda", dtype=torch.int32) // group))
    if gain:
        # Codes less zero points are uniform: of variance (2^bits)^2 / 6.
        deviation = 0.006 * 2**bits / math.sqrt(6) * math.sqrt(K)
        layer.scales = (layer.scales.float() * (gain / deviation)).half()
    if act_order:
        layer.g_idx = layer.g_idx[torch.randperm(K, device="cuda")].contiguous()
    return layer


def unpack(words, bits):
    """The codes along the first dimension, where each column of words is one stream of bits."""
    at = torch.arange(0, 32 * words.shape[0], bits, device=words.device)
    low = words[at // 32].long() & 0xffffffff
    high = words[(at + bits - 1) // 32].long() << 32
    return (((high | low) >> (at % 32)[:, None]) & (2**bits - 1)).to(torch.int32)


def weights_of(layer, bits, dtype):
    """W [K, N], exact in float64 up to the one rounding of a weight."""
    q = unpack(layer.qweight, bits)
    z = (unpack(layer.qzeros.T, bits).T + 1) & (2**bits - 1)
    group = layer.g_idx.long()
    return ((q - z[group]).to(torch.float32) * layer.scales[group].float()).to(dtype)


class Nibble:
    name = "nibble"

    def __init__(self, library, layers, bits, group, act_order, dtype, config):
        self.dtype = nibble.BF16 if dtype == torch.bfloat16 else nibble.F16
        self.layers = []
        for layer in layers:
            host = [t.cpu() for t in (layer.qweight, layer.qzeros, layer.scales, layer.g_idx)]
            types = (nibble.I32, nibble.I32, nibble.F16, nibble.I32)
            arrays = [nibble.Tensor(t.data_ptr(), type, t.shape) for t, type in zip(host, types)]
            self.layers.append(nibble.Layer(library, bits, group, *arrays[:3], arrays[3] if act_order else None,
                                            "cuda:0", config))

    def prepare(self, x, y):
        # One for all layers, whose calls come one after another.
        needed = self.layers[0].workspace_size(self.tensor(x))
        self.workspace = torch.empty(max(needed, 1), dtype=torch.uint8, device="cuda")
        return self.layers[0].prepare(self.dtype, x.shape[0])

    def tune(self, rows):
        """What was measured of nibble's own configurations, the fastest first."""
        return self.layers[0].tune(self.dtype, rows)

    def tensor(self, array):
        return nibble.Tensor(array.data_ptr(), self.dtype, array.shape)

    def arguments(self, x, y):
        return (self.tensor(x), self.tensor(y), torch.cuda.current_stream().cuda_stream, self.workspace.data_ptr(),
                self.workspace.numel())

    def call(self, i, x, y):
        self.layers[i % len(self.layers)].forward(*self.arguments(x, y))

    def close(self):
        for layer in self.layers:
            layer.close()


class Triton:
    name = "triton"

    def __init__(self, layers, bits):
        self.layers, self.bits = layers, bits

    def prepare(self, x, y):
        """Tunes: the fastest of the seed's configurations, a short measurement each."""
        K, N = x.shape[1], y.shape[1]
        best = math.inf
        for config in seed.prune(x.shape[0], N, K):
            self.config = config
            try:
                self.call(0, x, y)
                us = time_calls(self, x, y, replays=(2, 3), least=4)[0]
            except (RuntimeError, seed.triton.runtime.errors.OutOfResources):
                continue  # does not fit the device
            if us < best:
                best, chosen = us, config
        self.config = chosen
        return "BLOCK_M=%d BLOCK_N=%d BLOCK_K=%d stages=%d warps=%d" % chosen

    def call(self, i, x, y):
        seed.launch(self.config, x, y, self.layers[i % len(self.layers)], self.bits)

    def close(self):
        pass


class Cublas:
    name = "cublas"

    def __init__(self, weight):
        copies = max(2, math.ceil(COLD_BYTES / (weight.numel() * 2)))
        self.weights = [weight.clone() for _ in range(copies)]

    def prepare(self, x, y):
        return "torch.matmul on dense weights"

    def call(self, i, x, y):
        torch.matmul(x, self.weights[i % len(self.weights)], out=y)

    @property
    def layers(self):
        return self.weights

    def close(self):
        pass


def time_calls(peer, x, y, budget=0.15, replays=(5, 25), least=20, chain=False):
    """Median, p10 and p90 of a call in microseconds, weights out of L2.

    Replays for about `budget` seconds, but as often as `replays` bounds, a
    graph of at least `least` calls. In a chain y of a call is x of the next.
    """
    calls = max(least, len(peer.layers))
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        peer.call(0, x, y)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        for i in range(calls):
            peer.call(i, *((y, x) if chain and i % 2 else (x, y)))
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    times = []
    graph.replay()  # warms up
    while len(times) < replays[0] or (len(times) < replays[1] and sum(times) * calls < budget * 1e6):
        begin.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) * 1e3 / calls)
    times.sort()
    at = lambda share: times[round(share * (len(times) - 1))]
    return at(0.5), at(0.1), at(0.9)


def relative_error(y, x, exact):
    """||y - ref|| / ||ref|| against the float64 product, rows at a time."""
    off = total = 0.0
    for rows in range(0, x.shape[0], 512):
        reference = x[rows:rows + 512].double() @ exact
        off += (y[rows:rows + 512].double() - reference).square().sum().item()
        total += reference.square().sum().item()
    return math.sqrt(off / total)


def point(peer, exact, x, case, chain=False):
    N = exact.shape[1]
    y = torch.full((x.shape[0], N), math.nan, dtype=x.dtype, device="cuda")
    config = peer.prepare(x, y)
    y.fill_(math.nan)
    peer.call(0, x, y)
    torch.cuda.synchronize()
    error = relative_error(y, x, exact)
    us, p10, p90 = time_calls(peer, x, y, chain=chain)
    if chain:
        case = {**case, "chain": True}
    return {"impl": peer.name, **case, "us": us, "us_p10": p10, "us_p90": p90, "rel_err": error, "config": config}


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", default=here.parent / "build/bench/libnibble_bench.so")
    parser.add_argument("--shapes", default="4096x4096,4096x14336,14336x4096,8192x8192,8192x28672",
                        help="K x N, separated by commas")
    parser.add_argument("--m", default="1,2,4,8,16,32,64,128,256,512,1024,4096")
    parser.add_argument("--bits", type=int, default=4, choices=[2, 3, 4, 8])
    parser.add_argument("--group", type=int, default=128)
    parser.add_argument("--act-order", action="store_true")
    parser.add_argument("--dtype", default="fp16", choices=["fp16", "bf16"])
    parser.add_argument("--impl", default="nibble,triton,cublas")
    parser.add_argument("--config", default="", help="words that overrule nibble's choice")
    parser.add_argument("--chain", action="store_true",
                        help="let y of each call be x of the next; K and N must be equal")
    parser.add_argument("--tune", action="store_true",
                        help="also tune nibble at every point, and keep what each configuration takes")
    parser.add_argument("--commit", default="", help="of nibble; git is asked otherwise")
    parser.add_argument("--out", default="-", help="JSON file, - for standard output")
    options = parser.parse_args()
    dtype = torch.float16 if options.dtype == "fp16" else torch.bfloat16
    wanted = options.impl.split(",")
    if options.bits == 3 and "triton" in wanted:
        parser.error("the Triton kernel takes no codes of 3 bits; leave triton out of --impl")
    if options.chain and any(shape.split("x")[0] != shape.split("x")[1] for shape in options.shapes.split(",")):
        parser.error("--chain takes shapes with K equal to N")
    library = nibble.Library(options.library) if "nibble" in wanted else None
    commit = options.commit or subprocess.run(["git", "-C", here, "rev-parse", "HEAD"], capture_output=True,
                                              text=True).stdout.strip()
    driver = subprocess.run(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
                            capture_output=True, text=True).stdout.split("\n")[0]
    points, wrong = [], 0
    result = {"device": torch.cuda.get_device_name(), "driver": driver,
              "date": datetime.date.today().isoformat(), "commit": commit,
              "command": " ".join(["bench/bench.py", *sys.argv[1:]]), "points": points}
    # IEEE sums: cuBLAS may otherwise add in fp16.
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    for shape in options.shapes.split(","):
        K, N = map(int, shape.split("x"))
        bytes_each = K * N * options.bits // 8
        copies = max(2, math.ceil(COLD_BYTES / bytes_each))
        layers = [random_layer(K, N, options.bits, options.group, options.act_order, 1 if options.chain else None)
                  for _ in range(copies)]
        rounded = weights_of(layers[0], options.bits, dtype)
        exact = weights_of(layers[0], options.bits, torch.float64)
        peers = []
        for name in wanted:
            if name == "nibble":
                peers.append(Nibble(library, layers, options.bits, options.group, options.act_order, dtype,
                                    options.config))
            elif name == "triton" and dtype == torch.float16:
                peers.append(Triton(layers, options.bits))
            elif name == "cublas":
                peers.append(Cublas(rounded))
        for M in map(int, options.m.split(",")):
            x = torch.randn(M, K, dtype=dtype, device="cuda")
            case = {"K": K, "N": N, "M": M, "bits": options.bits, "group": options.group,
                    "act_order": options.act_order, "dtype": options.dtype}
            line = f"{K:6} x {N:6}  M {M:5} "
            for peer in peers:
                made = point(peer, exact, x, case, options.chain)
                points.append(made)
                if options.tune and peer.name == "nibble":
                    result.setdefault("tuning", []).append({**case, "candidates": peer.tune(M)})
                bad = not made["rel_err"] <= (4e-4 if dtype == torch.float16 else 3.2e-3)
                wrong += bad
                line += f" {peer.name} {made['us']:9.2f} ({made['rel_err']:.1e}{' WRONG' if bad else ''})"
            print(line, file=sys.stderr, flush=True)
        for peer in peers:
            peer.close()
        del peers, layers, rounded, exact
        torch.cuda.empty_cache()
        # After every shape, so that a run that is cut short leaves something.
        if options.out != "-":
            pathlib.Path(options.out).write_text(json.dumps(result, indent=1) + "\n")
    if options.out == "-":
        print(json.dumps(result, indent=1))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
