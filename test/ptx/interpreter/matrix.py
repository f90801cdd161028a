"""Operands of tensor cores, ldmatrix and mma.

Who holds which element is written as the PTX ISA's figures have it, for a lane
l with g = l / 4 and t = l % 4. Products are summed in float64.
"""
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


def matrix_of(registers: list, row: np.ndarray, column: np.ndarray, bfloat: bool) -> np.ndarray:
    """The matrix whose elements lie in pairs in `registers`."""
    numbers = halves(np.stack(registers, axis=1), bfloat).reshape(LANES, -1)
    matrix = np.zeros((row.max() + 1, column.max() + 1))
    matrix[row, column] = numbers
    return matrix


def check_whole(lanes: np.ndarray) -> None:
    if lanes is not ALL:
        raise PtxError("some lanes have ended, and the whole warp is needed")


def _ldmatrix(transposed: bool):
    def build(operands):
        to, where = elements(operands[0]), address(operands[1])

        def execute(warp, lanes):
            check_whole(lanes)
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
            check_whole(lanes)
            left = matrix_of([each(warp) for each in a], A_ROW, A_COLUMN, bfloat)
            right = matrix_of([each(warp) for each in b], B_ROW, B_COLUMN, bfloat)
            sums = np.stack([each(warp) for each in c], axis=1) + (left @ right)[row, column]
            for i, register in enumerate(to):
                warp.write(register, sums[:, i].astype(np.float32), lanes)
        return execute
    return build


opcode("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32", together=True)(_mma(False))
opcode("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", together=True)(_mma(True))
