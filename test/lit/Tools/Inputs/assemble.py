"""Compiles kernels for every target and assembles them with ptxas.

Usage: assemble.py FOLDER
"""
import itertools
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor


def configurations():
    for bits, act_order, bias in itertools.product((2, 3, 4, 8), (0, 1), (0, 1)):
        yield f"BITS={bits} ACT_ORDER={act_order} HAS_BIAS={bias} N%64 K%64"
    yield "BITS=4"  # nothing is known: every mask
    yield "BITS=4 X=bf16 T=bf16 Y=bf16 S=f16 N%64 K%64"
    yield "BITS=4 X=bf16 T=bf16 Y=bf16 S=f16"
    yield "BITS=4 X=f32 N%64"
    yield "BITS=4 S=f32 N%64"  # scales that fp16 does not hold
    yield "BITS=3 S=f32 X=bf16 T=bf16 Y=bf16 ACT_ORDER=1"
    yield "BITS=4 GROUP_SIZE=32 BLOCK_K=64 BLOCK_M=16 BLOCK_N=128 warps=4 K%64"
    yield "BITS=4 GROUP_SIZE=1073741824 BLOCK_M=128 BLOCK_N=128 BLOCK_K=32 warps=8 N%128 K%32"
    yield "BITS=8 BLOCK_M=8 BLOCK_N=32 BLOCK_K=16 warps=1"  # simt
    yield "BITS=3 BLOCK_M=8 BLOCK_N=32 BLOCK_K=32 warps=1"  # simt
    yield "BITS=2 BLOCK_M=1 BLOCK_N=64 BLOCK_K=16 X=bf16 T=bf16 Y=bf16 S=f16"  # simt


def assemble(job):
    folder, number, target, config = job
    ptx = os.path.join(folder, f"{number}.ptx")
    for command in (
        ["nibble", "compile", f"--target={target}", "--config", config, "-o", ptx],
        ["ptxas", f"-arch={target}", ptx, "-o", ptx + ".cubin"],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            print(target, config, " ".join(command[:2]), done.stderr, done.stdout)
            return False
    return True


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    jobs = [(folder, number, target, config) for number, (target, config) in enumerate(
        [("sm_80", config) for config in configurations()]
        + [(target, config) for target in ("sm_86", "sm_89", "sm_90a", "sm_100a", "sm_120a")
           for config in ("BITS=4 N%64 K%64", "BITS=8 ACT_ORDER=1 X=bf16 T=bf16 Y=bf16 S=f16",
                          "BITS=4 BLOCK_M=1")])]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(assemble, jobs))
    print(f"{sum(results)} kernels assembled, {len(results) - sum(results)} refused")


if __name__ == "__main__":
    main()
