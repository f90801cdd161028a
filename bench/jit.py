#!/usr/bin/env python3
# Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times what a process waits for: nibble's JIT beside the seed's kernel on Triton.

Every figure is the median over processes of their own, beyond the creation of
the CUDA context, for a 4-bit layer in groups of 128 and one row. README.md has
the format of what is written.
"""

import argparse
import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
# Calls whose host time is taken at once: fewer than the driver queues.
BURST = 200


def run(command, cache):
    """The last line of a process's output, with an empty or a warm cache in `cache`."""
    environment = {**os.environ, "CUDA_CACHE_DISABLE": "1", "NIBBLE_CACHE_DIR": cache, "TRITON_CACHE_DIR": cache}
    environment.pop("NIBBLE_CACHE", None)
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def medians(repeats, command, tuning_command):
    """What processes say of themselves: cold, warm and tuning, which without a
    `tuning_command` the cold ones do."""
    cold, warm, tuned = [], [], []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as cache:
            cold.append(run(command, cache))
            warm.append(run(command, cache))
        if tuning_command:
            with tempfile.TemporaryDirectory() as cache:
                tuned.append(run(tuning_command, cache))
    of = lambda runs, key: statistics.median(each[key] for each in runs)
    more = {"further_many_rows_cold_s": of(cold, "many") / 1e3} if "many" in cold[0] else {}
    return {"first_call_cold_s": of(cold, "first") / 1e3, "further_config_cold_s": of(cold, "further") / 1e3, **more,
            "tune_one_shape_s": of(tuned or cold, "first") / 1e3, "first_call_warm_ms": of(warm, "first")}


def nibble_process(program, arguments):
    """first-call's output with all that the first call waits for in `first`."""
    line = subprocess.run([program, *arguments], capture_output=True, text=True)
    if line.returncode:
        sys.exit(line.stderr)
    said = json.loads(line.stdout)
    print(json.dumps({"first": said["create"] + said["kernel"] + said["first"], "further": said["further"],
                      "many": said["many"]}))


def triton_process(K, N):
    """The seed's first call: it tunes over its configurations, then runs."""
    import torch

    import bench
    import seed
    layer = bench.random_layer(K, N, 4, 128, False)
    x = torch.randn(1, K, dtype=torch.float16, device="cuda")
    y = torch.empty(1, N, dtype=torch.float16, device="cuda")
    torch.cuda.synchronize()
    begin = time.perf_counter()
    triton = bench.Triton([layer], 4)
    triton.prepare(x, y)
    triton.call(0, x, y)
    torch.cuda.synchronize()
    first = time.perf_counter() - begin
    # One more kernel: other numbers of rows compile anew.
    x, y = (torch.zeros(16, extent, dtype=torch.float16, device="cuda") for extent in (K, N))
    torch.cuda.synchronize()
    begin = time.perf_counter()
    seed.launch(seed.prune(16, N, K)[0], x, y, layer, 4)
    torch.cuda.synchronize()
    print(json.dumps({"first": first * 1e3, "further": (time.perf_counter() - begin) * 1e3}))


def host_calls(library, K, N):
    """Microseconds of the host a call, in the steady state: nibble's, Triton's."""
    import torch

    import bench
    import nibble
    layer = bench.random_layer(K, N, 4, 128, False)
    x = torch.randn(1, K, dtype=torch.float16, device="cuda")
    y = torch.empty(1, N, dtype=torch.float16, device="cuda")
    peer = bench.Nibble(nibble.Library(library), [layer], 4, 128, False, torch.float16, "")
    peer.prepare(x, y)
    triton = bench.Triton([layer], 4)
    triton.prepare(x, y)

    def nibbles():
        return peer.layers[0].host_call(*peer.arguments(x, y), BURST)

    def tritons():
        begin = time.perf_counter()
        for _ in range(BURST):
            triton.call(0, x, y)
        return (time.perf_counter() - begin) / BURST * 1e6

    times = []
    for burst in (nibbles, tritons):
        taken = []
        for _ in range(20):
            torch.cuda.synchronize()
            taken.append(burst())
        times.append(statistics.median(taken))
    torch.cuda.synchronize()
    peer.close()
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", default=HERE.parent / "build/bench/libnibble_bench.so")
    parser.add_argument("--first-call", default=HERE.parent / "build/bench/first-call")
    parser.add_argument("--shape", default="4096x14336", help="K x N")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--commit", default="", help="of nibble; git is asked otherwise")
    parser.add_argument("--out", default="-", help="JSON file, - for standard output")
    parser.add_argument("--process", choices=["nibble", "nibble-tune", "triton"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    K, N = map(int, options.shape.split("x"))
    if options.process == "triton":
        return triton_process(K, N)
    if options.process:
        tune = ["tune"] if options.process == "nibble-tune" else []
        return nibble_process(options.first_call, ["cuda:0", str(K), str(N), "1", *tune])

    import torch
    this = lambda process: [sys.executable, __file__, "--process", process, "--shape", options.shape,
                            "--first-call", str(options.first_call)]
    jit = medians(options.repeats, this("nibble"), this("nibble-tune"))
    # The seed's first call tunes.
    jit["triton"] = medians(options.repeats, this("triton"), None)
    jit["host_call_us"], jit["triton"]["host_call_us"] = host_calls(options.library, K, N)
    commit = options.commit or subprocess.run(["git", "-C", HERE, "rev-parse", "HEAD"], capture_output=True,
                                              text=True).stdout.strip()
    driver = subprocess.run(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
                            capture_output=True, text=True).stdout.split("\n")[0]
    text = json.dumps({"device": torch.cuda.get_device_name(), "driver": driver,
                       "date": datetime.date.today().isoformat(), "commit": commit,
                       "command": " ".join(["bench/jit.py", *sys.argv[1:]]), "K": K, "N": N, "jit": jit}, indent=1)
    if options.out == "-":
        print(text)
    else:
        pathlib.Path(options.out).write_text(text + "\n")


if __name__ == "__main__":
    main()
