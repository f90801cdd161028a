"""Opcodes of tensor cores: ldmatrix, mma, wgmma.

Who holds which element is written as the PTX ISA's figures have it, for a lane
l with g = l / 4 and t = l % 4. Products are summed in float64.
"""
from itertools import product as _pairs

import numpy as np

from .operands import address, elements, opcode, source
from .parse import PtxError
from .values import ALL, LANE, LANES, TYPES, halves

G, T = LANE[:, None] // 4, LANE[:, None] % 4
# Operand A, 16 x 16: elements 0 and 1 are in register 0, and so on.
_e = np.arange(8)
A_ROW, A_COLUMN = G + 8 * (_e // 2 % 2), 2 * T + _e % 2 + 8 * (_e // 4)
# Operand B of mma, 16 x 8.
_e = np.arange(4)
B_ROW, B_COLUMN = 2 * T + _e % 2 + 8 * (_e // 2), G + 0 * _e


def sums_places(columns: int) -> tuple:
    """Rows and columns of a warp's sums, 16 x columns, each in a register."""
    e = np.arange(columns // 2)
    return G + 8 * (e // 2 % 2), 2 * T + e % 2 + 8 * (e // 4)


def _matrix(registers: list, row: np.ndarray, column: np.ndarray, bfloat: bool) -> np.ndarray:
    """The matrix whose elements lie in pairs in `registers`."""
    numbers = halves(np.stack(registers, axis=1), bfloat).reshape(LANES, -1)
    matrix = np.zeros((row.max() + 1, column.max() + 1))
    matrix[row, column] = numbers
    return matrix


def _whole_warp(lanes: np.ndarray) -> None:
    if lanes is not ALL:
        raise PtxError("some lanes have ended, and the whole warp is needed")


def _ldmatrix(transposed: bool):
    def build(operands):
        to, where = elements(operands[0]), address(operands[1])

        def execute(warp, lanes):
            _whole_warp(lanes)
            rows = warp.cluster.shared.load(warp, where(warp), 16, lanes).view(np.uint16).reshape(4, 8, 8)
            for matrix, register in zip(rows, to, strict=True):
                matrix = np.ascontiguousarray(matrix.T if transposed else matrix)
                warp.write(register, matrix.view(np.uint32)[LANE // 4, LANE % 4], lanes)
        return execute
    return build


opcode("ldmatrix.sync.aligned.m8n8.x4.shared.b16", together=True)(_ldmatrix(False))
opcode("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16", together=True)(_ldmatrix(True))


def _mma(bfloat: bool):
    row, column = sums_places(8)

    def build(operands):
        to = elements(operands[0])
        a, b = ([source(each, TYPES["b32"]) for each in elements(operands[i])] for i in (1, 2))
        c = [source(each, TYPES["f32"]) for each in elements(operands[3])]

        def execute(warp, lanes):
            _whole_warp(lanes)
            left = _matrix([each(warp) for each in a], A_ROW, A_COLUMN, bfloat)
            right = _matrix([each(warp) for each in b], B_ROW, B_COLUMN, bfloat)
            sums = np.stack([each(warp) for each in c], axis=1) + (left @ right)[row, column]
            for i, register in enumerate(to):
                warp.write(register, sums[:, i].astype(np.float32), lanes)
        return execute
    return build


opcode("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32", together=True)(_mma(False))
opcode("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", together=True)(_mma(True))

# wgmma: four warps multiply together. Each has 16 of the 64 rows of A in
# registers and the same rows of the sums; they share B, in shared memory.

SUMS = "what wgmma sums in, and not waited for"
FACTORS = "an operand of wgmma, and not waited for"


def places_of_b(warp, descriptor: int, columns: int) -> np.ndarray:
    """Where in shared memory operand B is: 16 x columns, each column's elements
    side by side, two pieces of 16 bytes a column.

    Rows of 128 bytes hold 64 elements of a column, and 8 columns lie together;
    pieces of a row are swizzled by the number of the row."""
    start, apart = (descriptor & 0x3FFF) << 4, (descriptor >> 32 & 0x3FFF) << 4
    if descriptor >> 62 != 1 or descriptor >> 49 & 7 or start & 0x380:
        raise PtxError(f"descriptor {descriptor:#x} is not of a 128-byte swizzle from a multiple of "
                       "1024 bytes on")
    column, piece = np.arange(columns)[:, None], np.arange(2)
    at = (start + column // 8 * apart + column % 8 * 128 + piece * 16).reshape(-1)
    at ^= (at >> 7 & 7) << 4
    return warp.cluster.shared.places(warp, at, 16, 16, np.ones(len(at), bool))


class Product:
    """One wgmma.mma_async of one warp, from when it begins."""

    def __init__(self, warp, sums: tuple, held: tuple, at: np.ndarray, bfloat: bool):
        self.warp, self.sums, self.held, self.at, self.bfloat = warp, sums, held, at, bfloat
        self.a = _matrix([warp.read(each) for each in held], A_ROW, A_COLUMN, bfloat)
        self.group = warp.product_groups
        # Tensor cores may read B at once, or as late as the end.
        self.b = self.read_b() if warp.machine.random.random() < 0.5 else None

    def read_b(self) -> np.ndarray:
        raw = self.warp.cluster.shared.data[self.at[:, None] + np.arange(16)].view(np.uint32)
        return halves(raw.reshape(-1, 8), self.bfloat).reshape(-1, 16).T

    def finish(self) -> np.ndarray:
        return self.a @ (self.read_b() if self.b is None else self.b)


def _begin(warp, shared_by_all: tuple) -> None:
    """Checks that the four warps begin the same products."""
    begun = warp.block.products.setdefault(warp.index // 4, [])
    if len(begun) == warp.products_begun:
        begun.append(shared_by_all)
    elif begun[warp.products_begun] != shared_by_all:
        raise PtxError("another of the four warps multiplies by another matrix")
    warp.products_begun += 1


def _wgmma(columns: int, bfloat: bool):
    row, column = sums_places(columns)

    def build(operands):
        sums, held, where, add, *signs = operands
        sums, held = sums.elements, held.elements
        if [each.value for each in signs] != [1, 1, 0] or len(sums) != columns // 2:
            raise PtxError("only sums of products as they are")
        where, add = source(where, TYPES["b64"]), source(add, TYPES["pred"])

        def execute(warp, lanes):
            _whole_warp(lanes)
            descriptor = int(where(warp)[0])
            _begin(warp, (descriptor, columns))
            if not add(warp).all() or (where(warp) != descriptor).any():
                raise PtxError("only sums of products, and one matrix")
            for register in (*sums, *held):
                if warp.locked.get(register.index) != SUMS and \
                        warp.values[register.index] is not warp.fenced[register.index]:
                    raise PtxError(f"{register.name} was written after the last wgmma.fence")
            at = places_of_b(warp, descriptor, columns)
            races = warp.cluster.shared.races
            clock = warp.async_clock.copy()
            clock[races.bulk(0):] = warp.clock[races.bulk(0):]
            races.note_read(np.unique(warp.cluster.shared.words(at, 16)), clock,
                            races.multiplying(warp.number), warp.product_groups + 1)
            if sums not in warp.sums:
                total = np.zeros((16, columns))
                total[row, column] = np.stack([warp.read(each).view(np.float32) for each in sums], 1)
                warp.sums[sums] = total
            warp.products.append(Product(warp, sums, held, at, bfloat))
            for register in held:
                warp.locked[register.index] = FACTORS
            for register in sums:
                warp.locked[register.index] = SUMS
                warp.values[register.index] = None
        return execute
    return build


for _n, _type in _pairs(range(8, 257, 8), ("f16", "bf16")):
    opcode(f"wgmma.mma_async.sync.aligned.m64n{_n}k16.f32.{_type}.{_type}",
           together=True)(_wgmma(_n, _type == "bf16"))


@opcode("wgmma.fence.sync.aligned", together=True)
def _fence(operands):
    def execute(warp, lanes):
        warp.fenced = list(warp.values)
    return execute


@opcode("wgmma.commit_group.sync.aligned", together=True)
def _commit(operands):
    def execute(warp, lanes):
        warp.product_groups += 1
    return execute


@opcode("wgmma.wait_group.sync.aligned", together=True)
def _wait(operands):
    most = operands[0].value

    def execute(warp, lanes):
        last = warp.product_groups - most
        done = [each for each in warp.products if each.group < last]
        warp.products = [each for each in warp.products if each.group >= last]
        for each in done:
            warp.sums[each.sums] += each.finish()
        # Registers are free that no other product uses.
        warp.locked.clear()
        for each in warp.products:
            warp.locked.update({register.index: FACTORS for register in each.held})
            warp.locked.update({register.index: SUMS for register in each.sums})
        for sums in [each for each in warp.sums if each[0].index not in warp.locked]:
            total = warp.sums.pop(sums).astype(np.float32)
            row, column = sums_places(total.shape[1])
            for i, register in enumerate(sums):
                warp.write(register, total[row[:, i], column[:, i]], lanes)
        if last > 0:
            warp.clock[warp.cluster.shared.races.multiplying(warp.number)] = last
    return execute
