"""nibble's kernels on random inputs: compiled, executed, compared with numpy."""
import functools
import re
import subprocess
from typing import Callable

import numpy as np

from interpreter.machine import Machine
from interpreter.memory import GlobalMemory
from interpreter.parse import parse
from orders import UNIT_ROWS, bit_stream, numbers_of, packed_order, packed_scales, stored, with_pitch


class Config:
    """A configuration, its words by name; what it does not name is as nibble
    compile has it."""
    ORDINARY = {"BITS": 4, "GROUP_SIZE": 128, "BLOCK_M": 64, "BLOCK_N": 64, "BLOCK_K": 32, "splits": 1}

    def __init__(self, text: str):
        self.text = text

    def _find(self, pattern: str):
        found = re.search(rf"\b{pattern}", self.text)
        return found and found.group(1)

    def __getitem__(self, name: str) -> int:
        return int(self._find(rf"{name}=(\d+)") or self.ORDINARY.get(name, 0))

    def type(self, name: str) -> str:
        return self._find(rf"{name}=([a-z]+\d+)") or "f16"

    def divisor(self, size: str) -> int:
        """What is known to divide M, N or K; 0 if nothing is."""
        return int(self._find(rf"{size}%(\d+)") or 0)

    def most(self, size: str) -> float:
        """What M, N or K is known to be at most."""
        return float(self._find(rf"{size}<=(\d+)") or "inf")

    def alignment(self, matrix: str, element: int) -> int:
        return int(self._find(rf"{matrix}@(\d+)") or element)


@functools.cache
def compile_kernel(kernel: str, target: str, config: str) -> tuple[str, int]:
    """PTX, and the bytes of shared memory that it is launched with."""
    def emitted(stage: str) -> str:
        command = ["nibble", "compile", f"--kernel={kernel}", f"--target={target}",
                   f"--config={config}", f"--emit={stage}"]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    shared = re.search(r"nibble\.shared_bytes = (\d+)", emitted("schedule"))
    return emitted("ptx"), int(shared.group(1)) if shared else 0


class Launch:
    """A kernel and the memory that it runs on."""

    def __init__(self, kernel: str, target: str, config: str, random: np.random.Generator,
                 change: Callable[[str], str] = lambda ptx: ptx):
        """`change` makes of the kernel's PTX what is run."""
        ptx, self.shared_bytes = compile_kernel(kernel, target, config)
        self.kernel, self.random, self.memory = parse(change(ptx)), random, GlobalMemory()
        self.config, self.put = Config(config), self.memory.add

    def run(self, arguments: list, blocks: int) -> None:
        Machine(self.kernel, self.memory, arguments, self.shared_bytes, self.random,
                overlaps=bool(self.config["overlap"])).run(blocks)


def blocks_of(size: int, block: int) -> int:
    return -(-size // block)


def pitch_for(columns: int, size: int, alignment: int) -> int:
    """The first distance of rows beyond `columns` of `size` bytes that
    `alignment` divides and twice it does not."""
    unit = alignment // size
    return (columns // unit + 1 | 1) * unit


UNTOUCHED = 0x7BCD


def run_product(launch: Launch, M: int, N: int, K: int) -> str:
    """matmul_248 on a random layer; what is wrong, empty if nothing is."""
    config, random, put = launch.config, launch.random, launch.put
    bits, act_order, packed = config["BITS"], config["ACT_ORDER"], config["packed"]
    X, T, Y, S = (config.type(each) for each in "XTYS")
    group = min(packed or config["GROUP_SIZE"], K)
    G = blocks_of(K, group)
    codes = random.integers(0, 1 << bits, (K, N))
    zeros = random.integers(0, 1 << bits, (G, N))
    scales = stored(random.uniform(0.002, 0.02, (G, N)), S)
    groups = np.arange(K) // group
    if act_order:
        groups = random.permutation(groups)
    bias = random.standard_normal(N).astype(np.float32) if config["HAS_BIAS"] else np.zeros(N)
    x = stored(random.standard_normal((M, K)), X)

    alignment = config.alignment("x", x.itemsize)
    x_pitch = pitch_for(K, x.itemsize, alignment)
    arguments = [put("x", with_pitch(x, x_pitch, stored(np.array(np.nan), X)), alignment, dependent=True), x_pitch]
    nowhere = 0
    if packed:
        order = np.argsort(groups, kind="stable").astype(np.int32)
        qweight = packed_order(codes[order], bits)
        arguments += [put("qweight", qweight, 16), qweight.shape[1], nowhere, 0,
                      put("scales", packed_scales(scales, zeros), 16), N,
                      put("permutation", order, config.alignment("g_idx", 4)) if act_order else nowhere]
    else:
        qzeros = np.ascontiguousarray(bit_stream(((zeros - 1) & ((1 << bits) - 1)).T, bits).T)
        arguments += [put("qweight", bit_stream(codes, bits), 4), N, put("qzeros", qzeros, 4), qzeros.shape[1],
                      put("scales", scales, scales.itemsize), N,
                      put("g_idx", groups.astype(np.int32), 4) if act_order else nowhere]
    arguments.append(put("bias", bias, 4) if config["HAS_BIAS"] else nowhere)
    alignment = config.alignment("y", 2)
    y_pitch = pitch_for(N, 2, alignment)
    arguments += [put("y", np.full((M, y_pitch), UNTOUCHED, np.uint16), alignment, writable=True,
                      dependent=True), y_pitch, M, N, K, G]
    launch.run(arguments, blocks_of(M, config["BLOCK_M"]) * blocks_of(N, config["BLOCK_N"]) * config["splits"])

    exact = numbers_of(stored(numbers_of(x, X), T), T)
    weights = (codes - zeros[groups]) * numbers_of(scales, S)[groups]
    y = launch.memory.content("y", np.uint16).reshape(M, y_pitch)
    if (y[:, N:] != UNTOUCHED).any():
        return "written beyond the rows of y"
    return wrong_numbers(numbers_of(y[:, :N], Y), exact @ weights + bias, np.abs(exact) @ np.abs(weights), T)


def wrong_numbers(y: np.ndarray, expected: np.ndarray, terms: np.ndarray, kind: str) -> str:
    """The bounds of test/unit/API/ForwardCheck.cpp: each weight and each result
    is rounded once. A norm says something of many results, and less of fewer."""
    rounding, most = {"f16": (2.0 ** -11, 4e-4), "bf16": (2.0 ** -8, 3e-3)}[kind]
    bad = ~(np.abs(y - expected) <= 1.02 * rounding * (np.abs(expected) + terms) + 1e-6)
    if bad.any():
        m, n = np.argwhere(bad)[0]
        return f"{bad.sum()} of {bad.size} are wrong: y[{m}, {n}] is {y[m, n]}, expected {expected[m, n]}"
    error = np.linalg.norm(y - expected) / np.linalg.norm(expected)
    return f"the error is {error:.2e}" if y.size >= 200 and error > most * (1 if y.size >= 2000 else 1.5) else ""


def wrong_bits(got: np.ndarray, expected: np.ndarray) -> str:
    """Both as unsigned integers."""
    bad = np.argwhere(got != expected)
    return f"{len(bad)} of {got.size} differ, the first at {bad[0].tolist()}" if len(bad) else ""


def run_pack(launch: Launch, N: int, K: int) -> str:
    """pack_weights, from the checkpoint's order to the packed one."""
    config, put = launch.config, launch.put
    bits, rows = config["BITS"], UNIT_ROWS[config["BITS"]]
    codes = launch.random.integers(0, 1 << bits, (K, N))
    expected = packed_order(codes, bits)
    KP, NP = blocks_of(K, rows) * rows, blocks_of(N, 16) * 16
    launch.run([put("qweight", bit_stream(codes, bits), 4), N,
                put("packed", np.full_like(expected, 0xFFFFFFFF), 4, writable=True), expected.shape[1],
                K, N, KP, NP], KP // rows * blocks_of(NP, config["BLOCK_N"]))
    return wrong_bits(launch.memory.content("packed", np.uint32).reshape(expected.shape), expected)


def strided(numbers: np.ndarray, apart: int, kind: str) -> np.ndarray:
    """Columns `apart` elements apart, with NaN between."""
    wide = np.full((*numbers.shape, apart), np.nan)
    wide[:, :, 0] = numbers
    return stored(wide.reshape(len(numbers), -1), kind)


def run_columns(launch: Launch, name: str, M: int, K: int) -> str:
    """sort_columns, or make_dense, which keeps the columns' order."""
    config, random, put = launch.config, launch.random, launch.put
    X = config.type("X")
    numbers = random.standard_normal((M, K))
    # Rows that are aligned are not strided.
    alignment = config.alignment("x", 0)
    apart = 1 if alignment else int(random.integers(1, 4))
    x = strided(numbers, apart, X)
    numbers, size, x_pitch = numbers_of(x, X)[:, ::apart], x.itemsize, K * apart
    if alignment:
        x_pitch = pitch_for(K, size, alignment)
        x = with_pitch(x, x_pitch, stored(np.array(np.nan), X))
    there = [put("x", x, alignment or size, dependent=True), x_pitch] + ([] if alignment else [apart])
    sorts = name == "sort_columns"
    T = config.type("T") if sorts else X
    pitch, out = K + 3, stored(np.full((M, K + 3), 7.0), T)
    order = random.permutation(K) if sorts else np.arange(K)
    rows = [put("rows", order.astype(np.int32), 4)] if sorts else []
    to = put("out", out, out.itemsize, writable=True, dependent=True)
    launch.run([*there, *rows, to, pitch, M, K], M * blocks_of(K, config["BLOCK_K"]))
    expected = out.copy()
    expected[:, :K] = stored(numbers[:, order], T)
    word = f"uint{8 * out.itemsize}"
    return wrong_bits(launch.memory.content("out", word).reshape(M, pitch), expected.view(word))
