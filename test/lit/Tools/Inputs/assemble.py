"""Compiles kernels for every target and assembles them with ptxas.

test/ptx/run_kernels.py executes the same ones.

Usage: assemble.py FOLDER
"""
import itertools
import os
import re
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
    packed = "BLOCK_M=8 BLOCK_N=32 BLOCK_K=512 warps=4 stages=3 x@16 y@4"
    for bits, group, act_order in itertools.product((2, 3, 4, 8), (32, 128, 1 << 30), (0, 1)):
        yield f"BITS={bits} ACT_ORDER={act_order} packed={group} prefetch=2 {packed} N%32 K%512"
    for T in ("f16", "bf16"):
        yield f"BITS=8 packed=80 X={T} T={T} Y={T} {packed}"  # every guard
        yield f"BITS=4 packed=128 X=f32 T={T} Y={T} {packed}"
        yield f"BITS=3 packed=48 X={T} T={T} Y={T} {packed}"
        yield f"BITS=4 packed=128 X={T} T={T} Y={T} BLOCK_M=64 BLOCK_N=224 BLOCK_K=128 warps=7 stages=3 x@16 y@4"
    yield "BITS=2 BLOCK_M=1 BLOCK_N=64 BLOCK_K=16 X=bf16 T=bf16 Y=bf16 S=f16"  # simt


MMA_PIPELINE = "prefetch=0 stages=4 warps=4 BLOCK_M=16 BLOCK_N=64 BLOCK_K=256"
WGMMA_PIPELINE = "prefetch=0 wgmma=1 stages=4 warps=8 BLOCK_M=64 BLOCK_N=64 BLOCK_K=256"


def pipelines(way):
    whole = f"{way} x@16 y@4 N%64 K%256"
    for bits, group, act_order in itertools.product((2, 3, 4, 8), (32, 128, 1 << 30), (0, 1)):
        yield f"BITS={bits} ACT_ORDER={act_order} packed={group} {whole}"
    for T in ("f16", "bf16"):
        types = f"T={T} Y={T} S=f16"
        yield f"BITS=4 HAS_BIAS=1 packed=128 X={T} {types} {whole}"
        yield f"BITS=4 packed=128 X=f32 {types} {whole}"
        yield f"BITS=3 packed=48 X={T} {types} {way}"  # every guard
    yield f"BITS=4 packed=128 splits=2 overlap=1 {way} x@16 y@4 K%8"


def wide_pipelines():
    """Blocks of wgmma with as many sums as registers hold."""
    for rows, columns in ((256, 128), (128, 256)):
        yield f"BITS=4 packed=128 prefetch=0 wgmma=1 stages=2 warps=8 BLOCK_M={rows} BLOCK_N={columns} BLOCK_K=128 x@16 y@4 N%{columns} K%128"


def scaled_pipelines():
    """Sums that wgmma leaves and that are scaled, of one tile and of several."""
    for T, rows in (("f16", 32), ("bf16", 64)):
        types = f"X={T} T={T} Y={T} S=f16"
        for warps, more in ((8, "x@16 y@4 N%128 K%128"), (4, "splits=2 overlap=1 x@16 y@4 K%8"), (4, "")):
            yield f"BITS=4 packed=128 {types} prefetch=0 wgmma=1 stages=4 warps={warps} BLOCK_M={rows} BLOCK_N=128 BLOCK_K=128 {more}"


def held_pipelines():
    """Act-order with all of x held: whole steps, steps over what is left, and
    programs that divide K."""
    for bits, T, group, rows in ((4, "f16", 128, 1), (2, "f16", 64, 2), (3, "bf16", 32, 5), (8, "f16", 128, 8)):
        yield (f"BITS={bits} ACT_ORDER=1 packed={group} X={T} T={T} Y={T} S=f16 {MMA_PIPELINE.replace('BLOCK_M=16', 'BLOCK_M=8')} "
               f"overlap=1 held=1 x@16 y@4 g_idx@16 N%64 K%256 K<=4096 M<={rows}")
    yield f"BITS=4 ACT_ORDER=1 packed=32 {MMA_PIPELINE} held=1 x@16 g_idx@16 K%8 K<=2048"
    yield f"BITS=8 ACT_ORDER=1 packed=16 {MMA_PIPELINE} splits=2 overlap=1 held=1 x@16 g_idx@16 K%8 K<=2048 M<=11"


def chosen_pipelines():
    """What nibble chooses for layers of some thousand rows and columns, from 1
    row of x to 300 (nibble explain)."""
    for blocks in ("BLOCK_M=8 BLOCK_N=16 BLOCK_K=512 warps=4 stages=24",
                   "BLOCK_M=8 BLOCK_N=32 BLOCK_K=512 warps=4 stages=8",
                   "BLOCK_M=16 BLOCK_N=32 BLOCK_K=1024 warps=8 stages=24",
                   "BLOCK_M=16 BLOCK_N=128 BLOCK_K=512 warps=8 stages=8",
                   "BLOCK_M=32 BLOCK_N=64 BLOCK_K=512 warps=8 stages=8 splits=2",
                   "BLOCK_M=64 BLOCK_N=64 BLOCK_K=256 warps=8 stages=10 splits=2 wgmma=1",
                   "BLOCK_M=64 BLOCK_N=256 BLOCK_K=128 warps=16 stages=6 wgmma=1"):
        columns, rows = re.search(r"BLOCK_N=(\d+) BLOCK_K=(\d+)", blocks).groups()
        yield f"BITS=4 packed=128 prefetch=0 {blocks} x@16 y@4 N%{columns} K%{rows}"


def pack_configurations():
    for bits, rows in ((2, 128), (3, 128), (4, 64), (8, 32)):
        yield f"BITS={bits} BLOCK_K={rows} BLOCK_N=64"
        yield f"BITS={bits} BLOCK_K={rows} BLOCK_N=16 warps=1 N%16 NP%16 K%{rows}"


def kernels():
    """Kernels, targets and configurations."""
    matmul, pack, sort = "matmul_248", "pack_weights", "sort_columns"
    return (
        [(matmul, "sm_80", config) for config in configurations()]
        + [(matmul, target, config) for target in ("sm_86", "sm_89", "sm_90a", "sm_100a", "sm_120a")
           for config in ("BITS=4 N%64 K%64", "BITS=8 ACT_ORDER=1 X=bf16 T=bf16 Y=bf16",
                          "BITS=4 BLOCK_M=1",
                          "BITS=4 packed=128 BLOCK_M=16 BLOCK_N=64 BLOCK_K=256 warps=4 stages=3 x@16")]
        + [(matmul, target, "BITS=4 packed=128 splits=4 BLOCK_M=32 BLOCK_N=64 BLOCK_K=256 warps=4 stages=3 x@16")
           for target in ("sm_90a", "sm_100a", "sm_120a")]
        + [(matmul, target, "BITS=4 packed=128 overlap=1 BLOCK_M=16 BLOCK_N=64 BLOCK_K=256 warps=4 stages=3 x@16")
           for target in ("sm_90a", "sm_100a", "sm_120a")]
        + [(matmul, "sm_90a", config)
           for config in (*pipelines(MMA_PIPELINE), *pipelines(WGMMA_PIPELINE), *wide_pipelines(), *scaled_pipelines(), *held_pipelines(),
                        *chosen_pipelines())]
        + [(matmul, target, config) for target in ("sm_100a", "sm_120a")
           for config in (f"BITS=4 packed=128 {MMA_PIPELINE} x@16 y@4 N%64 K%256",
                          f"BITS=3 ACT_ORDER=1 packed=32 X=bf16 T=bf16 Y=bf16 S=f16 {MMA_PIPELINE}",
                          f"BITS=8 packed=128 splits=2 overlap=1 {MMA_PIPELINE} x@16 y@4 K%8",
                          f"BITS=4 ACT_ORDER=1 packed=128 overlap=1 held=1 {MMA_PIPELINE} x@16 g_idx@16 K%8 K<=2048 M<=5")]
        + [(pack, target, config) for target in ("sm_80", "sm_90a") for config in pack_configurations()]
        + [(sort, target, f"BLOCK_M=1 {columns} warps=16 overlap=1 X={X} T={T}")
           for target, columns in (("sm_90a", "BLOCK_K=512"), ("sm_90a", "BLOCK_K=1024 held=1 x@16 K%8 K<=4096"),
                                   ("sm_90a", "BLOCK_K=4096 held=1 x@16 K%4096 K<=12288"), ("sm_100a", "BLOCK_K=512"),
                                   ("sm_120a", "BLOCK_K=2048 held=1 x@16 K%8 K<=16384"))
           for X, T in (("f16", "f16"), ("bf16", "bf16"), ("f32", "f16"))]
        + [(sort, "sm_90a", "BLOCK_M=1 BLOCK_K=16384 warps=16 overlap=1 X=f16 T=f16 held=1 x@16 K%8 K<=40960"),
           (sort, "sm_80", "BLOCK_M=2 BLOCK_K=256 warps=4 X=f16 T=f16 held=1 x@16 K%8 K<=4096")]
        + [("make_dense", "sm_80", f"BLOCK_M=1 BLOCK_K=1024 X={X}") for X in ("f16", "bf16", "f32")])


def assemble(job):
    folder, number, kernel, target, config = job
    ptx = os.path.join(folder, f"{number}.ptx")
    for command in (
        ["nibble", "compile", "--kernel", kernel, f"--target={target}", "--config", config, "-o", ptx],
        ["ptxas", f"-arch={target}", ptx, "-o", ptx + ".cubin"],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        # C7510 to C7519 are wgmma's: products that ptxas runs one by one, or
        # waits that it adds.
        if done.returncode or "(C75" in done.stdout + done.stderr:
            print(kernel, target, config, " ".join(command[:2]), done.stderr, done.stdout)
            return False
    return True


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    jobs = [(folder, number, *kernel) for number, kernel in enumerate(kernels())]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(assemble, jobs))
    print(f"{sum(results)} kernels assembled, {len(results) - sum(results)} refused")


if __name__ == "__main__":
    main()
