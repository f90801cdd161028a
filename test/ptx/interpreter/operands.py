"""How an instruction's operands are read and written, and the table of opcodes.

`OPCODES` has, for each opcode, what builds its instructions: a function of the
operands that returns `execute(warp, lanes)`. Types and widths are looked at
when an instruction is built.
"""
from typing import Callable

import numpy as np

from .parse import Address, Immediate, Kernel, PtxError, Register, Symbol, Vector
from .values import ALL, LANE, LANES, TYPES, bits_of

OPCODES: dict[str, Callable] = {}
# Those that all lanes of a warp run at once.
TOGETHER: set[str] = set()


def opcode(*names: str, together: bool = False) -> Callable:
    """Registers what builds instructions of these names."""
    def register(build: Callable) -> Callable:
        for name in names:
            OPCODES[name] = build
            if together:
                TOGETHER.add(name)
        return build
    return register


def build_all(kernel: Kernel) -> None:
    """Gives each instruction of `kernel` what it does."""
    for each in kernel.instructions:
        if each.opcode in ("bra", "bra.uni", "ret"):
            continue
        if each.opcode not in OPCODES:
            raise PtxError(f"line {each.line}: opcode {each.opcode} is not modelled")
        try:
            each.execute = OPCODES[each.opcode](each.operands)
        except PtxError as error:
            raise PtxError(f"line {each.line}: {each.text}: {error}") from None
        each.together = each.opcode in TOGETHER


SPECIAL = {"%tid.x": lambda warp: (LANE + LANES * warp.index).astype(np.uint32),
           "%ctaid.x": lambda warp: np.full(LANES, warp.block.number, np.uint32)}


def source(operand, dtype: np.dtype) -> Callable:
    """A function of the warp: the operand as 32 numbers of `dtype`."""
    bits = bits_of(dtype)
    if isinstance(operand, Immediate):
        value = np.array([operand.value & (1 << bits) - 1], f"uint{bits}").view(dtype)
        constant = np.repeat(value, LANES)
        return lambda warp: constant
    if isinstance(operand, Register):
        if operand.bits != bits:
            raise PtxError(f"{operand.name} has not the {bits} bits that are read")
        return lambda warp: warp.read(operand).view(dtype)
    if isinstance(operand, Symbol) and operand.name in SPECIAL:
        return SPECIAL[operand.name]
    if isinstance(operand, Symbol) and operand.name.endswith("_shared"):
        return lambda warp: np.full(LANES, warp.cluster.shared.base, dtype)
    raise PtxError(f"{operand} is no source")


def whole(operand) -> Callable:
    """A register's bits, whatever its width."""
    return source(operand, TYPES[f"b{operand.bits}"] if operand.bits > 1 else TYPES["pred"])


def target(operand, dtype: np.dtype) -> Register:
    """The register that takes results of `dtype`."""
    if not isinstance(operand, Register) or operand.bits != bits_of(dtype):
        raise PtxError(f"{operand} does not take {dtype}")
    return operand


def elements(operand) -> tuple:
    """The registers of a vector, or the one register."""
    return operand.elements if isinstance(operand, Vector) else (operand,)


def address(operand: Address) -> Callable:
    """A function of the warp: 32 addresses."""
    bits = operand.base.bits if isinstance(operand.base, Register) else 64
    base, offset = source(operand.base, TYPES[f"u{bits}"]), operand.offset
    return lambda warp: base(warp).astype(np.int64) + offset


def spread(values: np.ndarray, lanes: np.ndarray) -> np.ndarray:
    """Values of some lanes as an array of all."""
    if lanes is ALL:
        return np.ascontiguousarray(values)
    full = np.zeros(LANES, values.dtype)
    full[lanes] = values
    return full


def elementwise(function: Callable, result: str, *types: str) -> Callable:
    """What builds d = function(a, b, ...), for operands and a result of types."""
    def build(operands):
        to = target(operands[0], TYPES[result])
        sources = [source(each, TYPES[kind]) for each, kind in zip(operands[1:], types, strict=True)]

        def execute(warp, lanes):
            warp.write(to, function(*[each(warp) for each in sources]), lanes)
        return execute
    return build
