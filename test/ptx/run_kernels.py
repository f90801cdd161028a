"""Executes, without a GPU, the kernels that test/lit/Tools/Inputs/assemble.py
assembles, on random layers of shapes that fit their configurations.

Usage: run_kernels.py PART [ROUNDS]

PART is mma (with simt), packed, pipeline, wgmma or other (kernels than the
product); a round is two launches of each kernel. NIBBLE_TEST_SEED repeats the
inputs, and the order in which all happens.
"""
import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # lit runs other tests beside it
import numpy as np  # noqa: E402

sys.path.append(os.path.join(os.path.dirname(__file__), "..", "lit", "Tools", "Inputs"))
from assemble import kernels  # noqa: E402
from interpreter.parse import PtxError  # noqa: E402
from kernels import Config, Launch, run_columns, run_pack, run_product  # noqa: E402
from orders import UNIT_ROWS  # noqa: E402


def part_of(kernel: str, config: str) -> str:
    if kernel != "matmul_248":
        return "other"
    if "prefetch=0" in config:
        return "wgmma" if "wgmma" in config else "pipeline"
    return "packed" if "packed" in config else "mma"


def multiple(random: np.random.Generator, unit: int, most: int) -> int:
    """A random multiple of `unit`, up to about `most`."""
    return unit * int(random.integers(1, max(most // unit, 1) + 1))


UNIT = {2: 16, 3: 32, 4: 8, 8: 4}  # codes of whole words, by bits


def shape(config: Config, deep: bool, random: np.random.Generator) -> tuple[int, int, int]:
    """M, N and K, ragged where the configuration allows it. Deep: all that is in
    flight at a time goes round more than once. Else about a block of K, and at
    times more blocks of M than are numbered together (GROUP_M)."""
    unit, block = UNIT[config["BITS"]], config["BLOCK_M"]
    many = not deep and random.random() < 16 / block
    M = int(random.integers(1, block * 5 // 4 + 2)) + (8 * block if many else 0)
    N = multiple(random, config.divisor("N") or unit, config["BLOCK_N"] * 5 // 4)
    # A pipeline's stage has 128 rows.
    step = 128 if "prefetch=0" in config.text else config["BLOCK_K"]
    flight = max(config["stages"], 2) * step
    unit = int(np.lcm(unit, config.divisor("K") or 1))
    K = 2 * flight // unit * unit + multiple(random, unit, flight) if deep \
        else multiple(random, unit, config["BLOCK_K"] * 5 // 4)
    if M > config.most("M"):
        M = int(random.integers(1, config.most("M") + 1))
    while K > config.most("K"):
        K -= unit
    if config["packed"] and config["ACT_ORDER"] and K > config["packed"]:
        # The packed order has groups of one size.
        whole = int(np.lcm(config["packed"], unit))
        K = max(K // whole, 1) * whole
    return M, N, K


def check(kernel: str, target: str, config: str, deep: bool, random: np.random.Generator) -> tuple:
    """The sizes that a kernel is run with, and what is wrong."""
    launch = Launch(kernel, target, config, random)
    bits, sizes = launch.config["BITS"], ()
    try:
        if kernel == "matmul_248":
            sizes = shape(launch.config, deep, random)
            return sizes, run_product(launch, *sizes)
        if kernel == "pack_weights":
            sizes = (multiple(random, launch.config.divisor("N") or UNIT[bits], 100),
                     multiple(random, launch.config.divisor("K") or UNIT[bits], 3 * UNIT_ROWS[bits]))
            return sizes, run_pack(launch, *sizes)
        most = min(launch.config.most("K"), launch.config["BLOCK_K"] * 3 // 2)
        sizes = (int(random.integers(1, 4)), multiple(random, launch.config.divisor("K") or 1, int(most)))
        return sizes, run_columns(launch, kernel, *sizes)
    except PtxError as error:
        return sizes, str(error)


def main() -> None:
    part, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1
    seed = int(os.environ.get("NIBBLE_TEST_SEED", np.random.SeedSequence().entropy % 2 ** 32))
    ran = wrong = 0
    for number, each in enumerate(kernels()):
        if part_of(each[0], each[2]) != part:
            continue
        for turn in range(2 * rounds):
            sizes, what = check(*each, turn % 2 == 0, np.random.default_rng([seed, number, turn]))
            ran += 1
            if what:
                wrong += 1
                print(*each, f"on {sizes}: {what}\nNIBBLE_TEST_SEED={seed}", flush=True)
    print(f"{ran} launches, {wrong} wrong")


if __name__ == "__main__":
    main()
