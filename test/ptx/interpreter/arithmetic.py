"""Opcodes that compute, lane by lane."""
from typing import Callable

import numpy as np

from .operands import elementwise, elements, opcode, source, target
from .parse import PtxError, Vector
from .values import LANES, TYPES, from_bfloat, halves, to_bfloat, words


def define(name: str, function: Callable, result: str, *types: str) -> None:
    """Opcode `name` is d = function(a, b, ...), for operands of types."""
    opcode(name)(elementwise(function, result, *types))


def alike(name: str, count: int, function: Callable, *kinds: str) -> None:
    """name.KIND, for `count` operands and a result of each kind."""
    for kind in kinds:
        define(f"{name}.{kind}", function, kind, *[kind] * count)


# Integers: arrays of numpy's wrap.

INTEGERS = ("s16", "u16", "s32", "u32", "s64", "u64")
BITS = ("b16", "b32", "b64")

for _name, _function in {"add": np.add, "sub": np.subtract, "mul.lo": np.multiply,
                         "min": np.minimum, "max": np.maximum}.items():
    alike(_name, 2, _function, *INTEGERS)
# PTX divides towards 0, numpy downwards: alike without signs.
alike("div", 2, np.floor_divide, "u32", "u64")
alike("rem", 2, np.remainder, "u32", "u64")
alike("mad.lo", 3, lambda a, b, c: a * b + c, *INTEGERS)
alike("neg", 1, np.negative, "s32", "s64")
alike("not", 1, np.invert, "pred", *BITS)
for _name, _function in {"and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor}.items():
    alike(_name, 2, _function, "pred", *BITS)

for _narrow, _wide in (("u16", "u32"), ("u32", "u64"), ("s32", "s64")):
    define(f"mul.wide.{_narrow}", lambda a, b, dtype=TYPES[_wide]: a.astype(dtype) * b.astype(dtype),
           _wide, _narrow, _narrow)
for _bits in (16, 32, 64):
    alike("mul.hi", 2, lambda a, b, bits=_bits: np.array(
        [int(x) * int(y) >> bits for x, y in zip(a, b)], a.dtype), f"u{_bits}")


def _by(count: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """How far to shift; by all bits or more, nothing stays."""
    return np.minimum(count, 64).astype(dtype)


for _bits in (16, 32, 64):
    define(f"shl.b{_bits}", lambda a, n: a << _by(n, a.dtype), f"b{_bits}", f"b{_bits}", "u32")
    for _kind in (f"b{_bits}", f"u{_bits}", f"s{_bits}"):
        define(f"shr.{_kind}", lambda a, n: a >> _by(n, a.dtype), _kind, _kind, "u32")


def _field(a: np.ndarray, first: np.ndarray, count: np.ndarray) -> np.ndarray:
    """`count` bits from bit `first` on."""
    one = a.dtype.type(1)
    return a >> _by(first & 255, a.dtype) & (one << _by(count & 255, a.dtype)) - one


define("bfe.u32", _field, "u32", "u32", "u32", "u32")
define("bfe.u64", _field, "u64", "u64", "u32", "u32")


def _funnel(left: bool) -> Callable:
    """The high, or low, word of two words that are shifted together."""
    def function(low, high, n):
        both, n = high.astype(np.uint64) << np.uint64(32) | low, (n & 31).astype(np.uint64)
        return ((both << n) >> np.uint64(32) if left else both >> n).astype(np.uint32)
    return function


define("shf.l.wrap.b32", _funnel(left=True), "b32", "b32", "b32", "u32")
define("shf.r.wrap.b32", _funnel(left=False), "b32", "b32", "b32", "u32")


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


def _on_halves(function: Callable, bfloat: bool) -> Callable:
    """`function` of the two numbers in each word."""
    return lambda *sources: words(function(*[halves(each, bfloat) for each in sources]), bfloat)


for _name, _count, _function in (
        ("add.rn", 2, np.add), ("sub.rn", 2, np.subtract), ("mul.rn", 2, np.multiply),
        ("neg", 1, np.negative), ("fma.rn", 3, lambda a, b, c: a * b + c)):
    alike(_name, _count, _on_halves(_function, bfloat=False), "f16x2")
    alike(_name, _count, _on_halves(_function, bfloat=True), "bf16x2")
for _name, _function in {"add.rn": np.add, "sub.rn": np.subtract, "mul.rn": np.multiply}.items():
    alike(_name, 2, _function, "f32")
    alike(_name, 2, lambda a, b, function=_function: function(
        a.view(np.float32), b.view(np.float32)).view(np.uint64), "f32x2")
alike("fma.rn", 3, lambda a, b, c: (a.astype(np.float64) * b + c).astype(np.float32), "f32")

# Conversions. Of two numbers the first becomes the high half.

for _to in ("u16", "u32", "s32", "u64", "s64"):
    for _from in ("u16", "u32", "s32", "u64", "s64"):
        define(f"cvt.{_to}.{_from}", lambda a, dtype=TYPES[_to]: a.astype(dtype), _to, _from)
define("cvt.f32.f16", lambda a: a.astype(np.float32), "f32", "f16")
define("cvt.f32.bf16", lambda a: from_bfloat(a).astype(np.float32), "f32", "bf16")
define("cvt.rn.f16.f32", lambda a: a.astype(np.float16), "f16", "f32")
define("cvt.rn.bf16.f32", to_bfloat, "bf16", "f32")
define("cvt.rn.f16x2.f32", lambda a, b: words(np.stack([b, a], 1), False), "f16x2", "f32", "f32")
define("cvt.rn.bf16x2.f32", lambda a, b: words(np.stack([b, a], 1), True), "bf16x2", "f32", "f32")

# Comparisons and choices.

for _name, _function in {"eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal,
                         "gt": np.greater, "ge": np.greater_equal}.items():
    for _kind in (*INTEGERS, *(BITS if _name in ("eq", "ne") else ())):
        define(f"setp.{_name}.{_kind}", _function, "pred", _kind, _kind)
define("setp.num.f32", lambda a, b: ~(np.isnan(a) | np.isnan(b)), "pred", "f32", "f32")
for _kind in (*BITS, "f32"):
    define(f"selp.{_kind}", lambda a, b, p: np.where(p, a, b), _kind, _kind, _kind, "pred")


@opcode("setp.num.bf16x2")
def _both_numbers(operands):
    to = [target(each, TYPES["pred"]) for each in elements(operands[0])]
    a, b = (source(each, TYPES["bf16x2"]) for each in operands[1:])

    def execute(warp, lanes):
        numbers = ~(np.isnan(halves(a(warp), True)) | np.isnan(halves(b(warp), True)))
        for half, register in enumerate(to):
            warp.write(register, numbers[:, half], lanes)
    return execute


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
