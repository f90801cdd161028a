"""Executes, without a GPU, the kernels that test/lit/Tools/Inputs/assemble.py
assembles, on random layers of shapes that fit their configurations.

Usage: run_kernels.py PART [ROUNDS]

PART is mma (with simt), packed, pipeline, wgmma or other (kernels than the
product). NIBBLE_TEST_SEED repeats the inputs, and the order in which all
happens.
"""
import os
import sys

import numpy as np

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


def shape(config: Config, random: np.random.Generator) -> tuple[int, int, int]:
    """M, N and K: a few blocks each, ragged where the configuration allows it,
    and in one of four cases less than a block of K."""
    unit = {2: 16, 3: 32, 4: 8, 8: 4}[config["BITS"]]  # codes of whole words
    M = int(random.integers(1, config["BLOCK_M"] * 5 // 4 + 2))
    N = multiple(random, config.divisor("N") or unit, config["BLOCK_N"] * 5 // 4)
    # A pipeline's stage has 128 rows; its ring goes round more than twice.
    block = 128 * config["stages"] if part_of("matmul_248", config.text) in ("pipeline", "wgmma") \
        else config["BLOCK_K"]
    K = multiple(random, np.lcm(unit, config.divisor("K") or unit), block * (random.choice((0.5, 2, 2.5, 3))))
    if config["packed"] and config["ACT_ORDER"] and K > config["packed"]:
        # The packed order has groups of one size.
        whole = np.lcm(config["packed"], config.divisor("K") or unit)
        K = max(K // whole, 1) * whole
    return M, N, int(K)


def check(kernel: str, target: str, config: str, random: np.random.Generator) -> tuple:
    """The shape that is run, and what is wrong."""
    launch = Launch(kernel, target, config, random)
    try:
        if kernel == "matmul_248":
            sizes = shape(launch.config, random)
            return sizes, run_product(launch, *sizes)
        if kernel == "pack_weights":
            unit = {2: 16, 3: 32, 4: 8, 8: 4}[launch.config["BITS"]]
            sizes = (multiple(random, launch.config.divisor("N") or unit, 100),
                     multiple(random, launch.config.divisor("K") or unit, 3 * UNIT_ROWS[launch.config["BITS"]]))
            return sizes, run_pack(launch, *sizes)
        sizes = (int(random.integers(1, 4)), int(random.integers(1, 1500)))
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
        for turn in range(rounds):
            sizes, what = check(*each, np.random.default_rng([seed, number, turn]))
            ran += 1
            if what:
                wrong += 1
                print(*each, f"on {sizes}, round {turn}: {what}\nNIBBLE_TEST_SEED={seed}")
    print(f"{ran} kernels executed, {wrong} wrong")


if __name__ == "__main__":
    main()
