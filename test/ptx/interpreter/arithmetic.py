"""Opcodes that compute, lane by lane."""
import numpy as np

from .operands import elementwise, elements, opcode, source, target
from .parse import PtxError, Vector
from .values import LANES, TYPES, from_bfloat, halves, to_bfloat, words


def _all(name: str, function, *types: str) -> None:
    """name.TYPE for operands and a result of each type."""
    for kind in types:
        count = function.nin if isinstance(function, np.ufunc) else function.__code__.co_argcount
        opcode(f"{name}.{kind}")(elementwise(function, kind, *[kind] * count))


# Integers: arrays of numpy's wrap.

INTEGERS = ("s16", "u16", "s32", "u32", "s64", "u64")
BITS = ("b16", "b32", "b64")
for _name, _function in {"add": np.add, "sub": np.subtract, "min": np.minimum, "max": np.maximum,
                         "mul.lo": np.multiply, "div": np.floor_divide, "rem": np.remainder}.items():
    # PTX divides towards 0, numpy downwards: alike without signs.
    _all(_name, _function, *(INTEGERS if _name not in ("div", "rem") else ("u32", "u64")))
_all("mad.lo", lambda a, b, c: a * b + c, *INTEGERS)
_all("neg", np.negative, "s32", "s64")
for _name, _function in {"and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
                         "not": np.invert}.items():
    _all(_name, _function, "pred", *BITS)


def _wide(narrow: str, wide: str):
    dtype = TYPES[wide]
    opcode(f"mul.wide.{narrow}")(elementwise(
        lambda a, b: a.astype(dtype) * b.astype(dtype), wide, narrow, narrow))
    opcode(f"mad.wide.{narrow}")(elementwise(
        lambda a, b, c: a.astype(dtype) * b.astype(dtype) + c, wide, narrow, narrow, wide))


_wide("u16", "u32"), _wide("u32", "u64"), _wide("s32", "s64")


def _high(bits: int):
    def function(a, b):
        return np.array([int(x) * int(y) >> bits for x, y in zip(a, b)], a.dtype)
    opcode(f"mul.hi.u{bits}")(elementwise(function, f"u{bits}", f"u{bits}", f"u{bits}"))


for _bits in (16, 32, 64):
    _high(_bits)
    # Shifts by all bits or more leave nothing, in PTX and in numpy.
    for _kind in ("b", "u", "s"):
        _type = f"{_kind}{_bits}"
        opcode(f"shl.{_type}")(elementwise(
            lambda a, n: a << n.astype(a.dtype), _type, _type, "u32"))
        opcode(f"shr.{_type}")(elementwise(
            lambda a, n: a >> n.astype(a.dtype), _type, _type, "u32"))
    if _bits > 16:
        opcode(f"bfe.u{_bits}")(elementwise(
            lambda a, first, count: a >> (first & 255).astype(a.dtype)
            & ((a.dtype.type(1) << (count & 255).astype(a.dtype)) - a.dtype.type(1)),
            f"u{_bits}", f"u{_bits}", "u32", "u32"))


def _funnel(low, high, n, left: bool):
    both = high.astype(np.uint64) << np.uint64(32) | low
    n = (n & 31).astype(np.uint64)
    return ((both << n) >> np.uint64(32) if left else both >> n).astype(np.uint32)


opcode("shf.l.wrap.b32")(elementwise(lambda a, b, n: _funnel(a, b, n, True), "b32", "b32", "b32", "u32"))
opcode("shf.r.wrap.b32")(elementwise(lambda a, b, n: _funnel(a, b, n, False), "b32", "b32", "b32", "u32"))


@opcode("lop3.b32")
def _lop3(operands):
    table = operands[4].value

    def function(a, b, c):
        result = np.zeros(LANES, np.uint32)
        for row in range(8):
            if table >> row & 1:
                result |= (a if row & 4 else ~a) & (b if row & 2 else ~b) & (c if row & 1 else ~c)
        return result
    # What quantized weights are unpacked by.
    if table == 0xEA:
        function = lambda a, b, c: a & b | c  # noqa: E731
    return elementwise(function, "b32", "b32", "b32", "b32")(operands[:4])


@opcode("prmt.b32")
def _permute(operands):
    selector = operands[3].value
    if selector & 0x8888:
        raise PtxError("copies of signs")
    picked = [selector >> 4 * i & 7 for i in range(4)]

    def function(a, b):
        parts = np.stack([a, b], axis=1).view(np.uint8)
        return np.ascontiguousarray(parts[:, picked]).view(np.uint32).reshape(LANES)
    return elementwise(function, "b32", "b32", "b32")(operands[:3])


# Floating point, rounded to nearest even.

for _kind in ("f16x2", "bf16x2"):
    def _packed(function, bfloat=_kind == "bf16x2"):
        return lambda *sources: words(function(*[halves(each, bfloat) for each in sources]), bfloat)
    for _name, _count, _function in (
            ("add.rn", 2, np.add), ("sub.rn", 2, np.subtract), ("mul.rn", 2, np.multiply),
            ("neg", 1, np.negative), ("fma.rn", 3, lambda a, b, c: a * b + c)):
        opcode(f"{_name}.{_kind}")(elementwise(_packed(_function), _kind, *[_kind] * _count))

_all("add.rn", np.add, "f32")
_all("sub.rn", np.subtract, "f32")
_all("mul.rn", np.multiply, "f32")
_all("fma.rn", lambda a, b, c: (a.astype(np.float64) * b + c).astype(np.float32), "f32")
for _name, _function in {"add": np.add, "sub": np.subtract, "mul": np.multiply}.items():
    def _pairs(a, b, function=_function):
        return function(a.view(np.float32), b.view(np.float32)).view(np.uint64)
    opcode(f"{_name}.rn.f32x2")(elementwise(_pairs, "f32x2", "f32x2", "f32x2"))

# Conversions.

for _to in ("u16", "u32", "s32", "u64", "s64"):
    for _from in ("u16", "u32", "s32", "u64", "s64"):
        opcode(f"cvt.{_to}.{_from}")(elementwise(
            lambda a, dtype=TYPES[_to]: a.astype(dtype), _to, _from))
_FLOATS = {
    "cvt.f32.f16": (lambda a: a.astype(np.float32), "f32", "f16"),
    "cvt.f32.bf16": (lambda a: from_bfloat(a).astype(np.float32), "f32", "bf16"),
    "cvt.rn.f16.f32": (lambda a: a.astype(np.float16), "f16", "f32"),
    "cvt.rn.bf16.f32": (lambda a: to_bfloat(a), "bf16", "f32"),
    # The first operand is the high half.
    "cvt.rn.f16x2.f32": (lambda a, b: words(np.stack([b, a], 1), False), "f16x2", "f32", "f32"),
    "cvt.rn.bf16x2.f32": (lambda a, b: words(np.stack([b, a], 1), True), "bf16x2", "f32", "f32"),
}
for _name, (_function, *_types) in _FLOATS.items():
    opcode(_name)(elementwise(_function, *_types))

# Comparisons and choices.

for _name, _function in {"eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal,
                         "gt": np.greater, "ge": np.greater_equal}.items():
    for _kind in (*INTEGERS, *(BITS if _name in ("eq", "ne") else ())):
        opcode(f"setp.{_name}.{_kind}")(elementwise(_function, "pred", _kind, _kind))
opcode("setp.num.f32")(elementwise(lambda a, b: ~(np.isnan(a) | np.isnan(b)), "pred", "f32", "f32"))


@opcode("setp.num.bf16x2")
def _both_numbers(operands):
    to = [target(each, TYPES["pred"]) for each in elements(operands[0])]
    a, b = (source(each, TYPES["bf16x2"]) for each in operands[1:])

    def execute(warp, lanes):
        numbers = ~np.isnan(halves(a(warp), True) + halves(b(warp), True) * 0)
        for half, register in enumerate(to):
            warp.write(register, numbers[:, half], lanes)
    return execute


for _kind in (*BITS, "f32"):
    opcode(f"selp.{_kind}")(elementwise(
        lambda a, b, p: np.where(p, a, b), _kind, _kind, _kind, "pred"))

# Moves.

def _move(kind: str):
    """Of a register, or one taken apart or put together from two halves."""
    dtype = TYPES[kind]
    half = np.dtype(f"uint{dtype.itemsize * 4}")

    def build(operands):
        to, value = operands
        if isinstance(value, Vector):
            joined = target(to, dtype)
            low, high = (source(each, half) for each in value.elements)
            return lambda warp, lanes: warp.write(
                joined, np.stack([low(warp), high(warp)], 1).view(dtype).reshape(LANES), lanes)
        if isinstance(to, Vector):
            both = source(value, dtype)

            def part(warp, lanes):
                parts = both(warp).view(half).reshape(LANES, 2)
                for i, register in enumerate(to.elements):
                    if register:
                        warp.write(register, np.ascontiguousarray(parts[:, i]), lanes)
            return part
        return elementwise(lambda a: a, kind, kind)(operands)
    return build


for _kind in (*BITS, "u32"):
    opcode(f"mov.{_kind}")(_move(_kind))
