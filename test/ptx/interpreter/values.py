"""Registers as arrays of 32 lanes, and the numbers in them.

A register holds bits, an unsigned array; an instruction reads them as the type
that it names. Half precision is computed in float64 and rounded once.
"""
import numpy as np

LANES = 32
# The lanes of an instruction that all lanes run. Compared by identity.
ALL = np.ones(LANES, bool)
LANE = np.arange(LANES)

TYPES = {"pred": np.dtype(bool)}
for _bits in (8, 16, 32, 64):
    TYPES[f"b{_bits}"] = TYPES[f"u{_bits}"] = np.dtype(f"uint{_bits}")
    TYPES[f"s{_bits}"] = np.dtype(f"int{_bits}")
TYPES.update({"f32": np.dtype("float32"), "f16": np.dtype("float16"),
              "f16x2": np.dtype("uint32"), "bf16x2": np.dtype("uint32"),
              "bf16": np.dtype("uint16"), "f32x2": np.dtype("uint64")})


def bits_of(dtype: np.dtype) -> int:
    """How wide a register of `dtype` is."""
    return 1 if dtype == bool else dtype.itemsize * 8


def from_bfloat(bits: np.ndarray) -> np.ndarray:
    """The float64 numbers of bfloat16 patterns."""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)


def to_bfloat(numbers: np.ndarray) -> np.ndarray:
    """The patterns of float64 numbers, rounded to nearest even."""
    bits = np.ascontiguousarray(numbers, np.float64).view(np.uint64)
    # 7 of the 52 bits of the mantissa stay.
    odd = (bits >> np.uint64(45)) & np.uint64(1)
    bits = (bits + np.uint64((1 << 44) - 1) + odd) >> np.uint64(45) << np.uint64(45)
    return (bits.view(np.float64).astype(np.float32).view(np.uint32) >> np.uint32(16)).astype(np.uint16)


def halves(words: np.ndarray, bfloat: bool) -> np.ndarray:
    """The two numbers in each 32-bit word, [..., 2], low half first."""
    parts = np.ascontiguousarray(words).view(np.uint16).reshape(*words.shape, 2)
    return from_bfloat(parts) if bfloat else parts.view(np.float16).astype(np.float64)


def words(numbers: np.ndarray, bfloat: bool) -> np.ndarray:
    """What `halves` takes apart, from numbers [..., 2]."""
    parts = to_bfloat(numbers) if bfloat else numbers.astype(np.float16).view(np.uint16)
    return np.ascontiguousarray(parts).view(np.uint32).reshape(numbers.shape[:-1])
