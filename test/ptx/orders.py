"""How nibble's matrices lie in memory, in plain numpy.

Shares no code with nibble: the orders of weights are written down from the
texts of lib/Layout/PackedOrder.h, lib/Model/PackedWeights.h and kernels/*.mlir.
"""
import numpy as np

from interpreter.values import from_bfloat, to_bfloat


def stored(numbers: np.ndarray, kind: str) -> np.ndarray:
    """Numbers as they are stored in f16, bf16 or f32, rounded."""
    return to_bfloat(numbers) if kind == "bf16" else numbers.astype({"f16": np.float16, "f32": np.float32}[kind])


def numbers_of(array: np.ndarray, kind: str) -> np.ndarray:
    """The float64 numbers of an array of `kind`, or of its bits."""
    if kind == "bf16":
        return from_bfloat(array)
    return array.view({"f16": np.float16, "f32": np.float32}[kind]).astype(np.float64)


def with_pitch(array: np.ndarray, pitch: int, fill) -> np.ndarray:
    """Rows `pitch` elements apart, with `fill` between."""
    wide = np.full((array.shape[0], pitch), fill, array.dtype)
    wide[:, :array.shape[1]] = array
    return wide


def bit_stream(codes: np.ndarray, bits: int) -> np.ndarray:
    """Codes packed along the first axis, low bits first: GPTQ's words."""
    ones = codes[:, None, :] >> np.arange(bits)[:, None] & 1
    ones = ones.reshape(-1, 32, codes.shape[1])
    return (ones.astype(np.uint64) << np.arange(32, dtype=np.uint64)[:, None]).sum(axis=1).astype(np.uint32)


UNIT_ROWS = {2: 128, 3: 128, 4: 64, 8: 32}


def packed_order(codes: np.ndarray, bits: int) -> np.ndarray:
    """Codes [K, N] in the order of lib/Layout/PackedOrder.h."""
    rows, words = UNIT_ROWS[bits], 192 if bits == 3 else 128
    K, N = codes.shape
    packed = np.zeros((-(-K // rows), -(-N // 16) * words), np.uint32)
    all_k, all_n = np.indices(codes.shape)
    k, n, code = all_k % rows, all_n % 16, codes.astype(np.uint32)
    lane = (k >> 1 & 3) + 4 * (n & 7)
    index = (k & 1) + 2 * (n >> 3) + 4 * (k >> 3)
    width = 2 if bits == 3 else bits  # of the first plane
    word, slot = index // (32 // width), index % (32 // width)
    bit = 8 * slot if bits == 8 else 16 * (slot & 1) + width * (slot >> 1)
    unit = all_n // 16 * words
    low = code & np.uint32((1 << width) - 1)
    np.bitwise_or.at(packed, (all_k // rows, unit + lane * 4 + word), low << bit.astype(np.uint32))
    if bits == 3:
        bit = (bit + 2 + word % 2) % 32
        np.bitwise_or.at(packed, (all_k // rows, unit + 128 + lane * 2 + word // 2),
                         code >> np.uint32(2) << bit.astype(np.uint32))
    return packed


def packed_scales(scales: np.ndarray, zeros: np.ndarray) -> np.ndarray:
    """fp16 [G, ceil(N / 16), 8, 4], as lib/Model/PackedWeights.h says."""
    G, N = scales.shape
    both = np.zeros((2, G, -(-N // 16) * 16), np.float16)
    both[0, :, :N], both[1, :, :N] = scales, zeros
    return np.ascontiguousarray(both.reshape(2, G, -1, 2, 8).transpose(1, 2, 4, 0, 3)).reshape(G, -1, 8, 4)
