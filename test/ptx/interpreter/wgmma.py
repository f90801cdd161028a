"""wgmma: four warps multiply together, while they go on.

Each warp has 16 of the 64 rows of A in registers, and the same rows of the
sums; they share B, in shared memory. Until they are waited for, a product's
registers are locked: sums may not be touched, nor A written.
"""
from itertools import product as pairs

import numpy as np

from .matrix import A_COLUMN, A_ROW, check_whole, matrix_of, sums_places
from .operands import opcode, source
from .parse import PtxError
from .values import TYPES, halves

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

    def __init__(self, warp, sums: tuple, factors: tuple, descriptor: int, bfloat: bool):
        self.warp, self.sums, self.factors, self.bfloat = warp, sums, factors, bfloat
        self.group = warp.product_groups
        self.check_registers()
        self.a = matrix_of([warp.read(each) for each in factors], A_ROW, A_COLUMN, bfloat)
        self.at = places_of_b(warp, descriptor, 2 * len(sums))
        self.check_races()
        # Tensor cores may read B at once, or as late as the end.
        self.b = self.read_b() if warp.machine.random.random() < 0.5 else None

    def check_registers(self) -> None:
        for register in (*self.sums, *self.factors):
            at = register.index
            if self.warp.locked.get(at) != SUMS and self.warp.values[at] is not self.warp.fenced[at]:
                raise PtxError(f"{register.name} was written after the last wgmma.fence")

    def check_races(self) -> None:
        """What threads wrote is known to tensor cores after fence.proxy.async,
        what bulk copies wrote as it is to the warp."""
        shared, warp = self.warp.cluster.shared, self.warp
        clock, bulk = warp.async_clock.copy(), shared.races.bulk(0)
        clock[bulk:] = warp.clock[bulk:]
        shared.races.note_read(np.unique(shared.words(self.at, 16)), clock,
                               shared.races.multiplying(warp.number), self.group + 1)

    def read_b(self) -> np.ndarray:
        raw = self.warp.cluster.shared.data[self.at[:, None] + np.arange(16)].view(np.uint32)
        return halves(raw.reshape(-1, 8), self.bfloat).reshape(-1, 16).T

    def lock(self) -> None:
        self.warp.locked.update({each.index: FACTORS for each in self.factors})
        self.warp.locked.update({each.index: SUMS for each in self.sums})

    def finish(self) -> np.ndarray:
        return self.a @ (self.read_b() if self.b is None else self.b)


def _check_alike(warp, product: tuple) -> None:
    """The four warps begin the same products."""
    begun = warp.block.products.setdefault(warp.index // 4, [])
    if len(begun) == warp.products_begun:
        begun.append(product)
    elif begun[warp.products_begun] != product:
        raise PtxError("another of the four warps multiplies by another matrix")
    warp.products_begun += 1


def _wgmma(columns: int, bfloat: bool):
    row, column = sums_places(columns)

    def build(operands):
        sums, factors, where, add, *signs = operands
        sums, factors = sums.elements, factors.elements
        if [each.value for each in signs] != [1, 1, 0] or len(sums) != columns // 2:
            raise PtxError("only sums of products as they are")
        where, add = source(where, TYPES["b64"]), source(add, TYPES["pred"])

        def execute(warp, lanes):
            check_whole(lanes)
            descriptor = int(where(warp)[0])
            adds = add(warp)
            if adds.any() != adds.all() or (where(warp) != descriptor).any():
                raise PtxError("a warp begins one product, of one matrix")
            if not adds.all() and sums in warp.sums:
                raise PtxError("sums begin anew before their products were waited for")
            _check_alike(warp, (descriptor, columns))
            warp.products.append(Product(warp, sums, factors, descriptor, bfloat))
            if sums not in warp.sums:
                total = np.zeros((16, columns))
                if adds.all():
                    total[row, column] = np.stack([warp.read(each).view(np.float32) for each in sums], 1)
                warp.sums[sums] = total
            warp.products[-1].lock()
            for register in sums:
                warp.values[register.index] = None
        return execute
    return build


for _columns, _type in pairs(range(8, 257, 8), ("f16", "bf16")):
    opcode(f"wgmma.mma_async.sync.aligned.m64n{_columns}k16.f32.{_type}.{_type}",
           together=True)(_wgmma(_columns, _type == "bf16"))


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
        for each in [each for each in warp.products if each.group < last]:
            warp.sums[each.sums] += each.finish()
        warp.products = [each for each in warp.products if each.group >= last]
        # Registers are free that no other product uses.
        warp.locked.clear()
        for each in warp.products:
            each.lock()
        for sums in [each for each in warp.sums if each[0].index not in warp.locked]:
            total = warp.sums.pop(sums).astype(np.float32)
            row, column = sums_places(total.shape[1])
            for i, register in enumerate(sums):
                warp.write(register, total[row[:, i], column[:, i]], lanes)
                # More may be added to them without a fence.
                warp.fenced[register.index] = warp.values[register.index]
        if last > 0:
            warp.clock[warp.cluster.shared.races.multiplying(warp.number)] = last
    return execute
