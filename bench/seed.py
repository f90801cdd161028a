# Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The seed's algorithm in Triton, written afresh, as the peer to measure.

LoRAX's GPTQ kernel: a program computes a block of y; each step over K loads x
and packed words, shifts codes out, subtracts the zero point, multiplies with
the scale and adds tl.dot to an fp32 sum. The group of a row is read from
g_idx in every step, as there. Eight configurations are tuned over, timed on
weights that rotate, which is what the call is later measured on.
"""

import sys
from types import SimpleNamespace

import torch
import triton
import triton.language as tl

CONFIGS = [  # BLOCK_M, BLOCK_N, BLOCK_K, stages, warps
    (64, 256, 32, 4, 4), (128, 128, 32, 4, 4), (64, 128, 32, 4, 4), (128, 32, 32, 4, 4),
    (64, 64, 32, 4, 4), (64, 128, 32, 2, 8), (64, 64, 64, 3, 8), (32, 32, 128, 2, 4),
]


@triton.jit
def matmul_packed(x, words, y, scales, zeros, groups, M, N, K, bits, maxq,
                  x_row, words_row, y_row, scales_row, zeros_row,
                  BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
                  GROUP_M: tl.constexpr):
    per_word = 32 // bits
    program = tl.program_id(0)
    blocks_m = tl.cdiv(M, BLOCK_M)
    blocks_n = tl.cdiv(N, BLOCK_N)
    in_band = GROUP_M * blocks_n
    band = program // in_band
    height = min(blocks_m - band * GROUP_M, GROUP_M)
    m = (band * GROUP_M + program % height) * BLOCK_M + tl.arange(0, BLOCK_M)
    n = (program % in_band) // height * BLOCK_N + tl.arange(0, BLOCK_N)
    k = tl.arange(0, BLOCK_K)

    shift = (k % per_word) * bits
    zero_shift = (n % per_word) * bits
    rows = m < M
    x_at = x + m[:, None] * x_row + k[None, :]
    words_at = words + (k // per_word)[:, None] * words_row + n[None, :]
    scales_at = scales + n[None, :]
    zeros_at = zeros + (n // per_word)[None, :]
    total = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    for step in range(0, tl.cdiv(K, BLOCK_K)):
        group = tl.load(groups + step * BLOCK_K + k)
        scale = tl.load(scales_at + group[:, None] * scales_row)
        zero = tl.load(zeros_at + group[:, None] * zeros_row)
        zero = ((zero >> zero_shift[None, :]) & maxq) + 1
        zero = zero & maxq
        a = tl.load(x_at, mask=rows[:, None], other=0.0)
        b = tl.load(words_at)
        b = (b >> shift[:, None]) & maxq
        b = (b - zero) * scale
        total += tl.dot(a, b.to(a.dtype))
        x_at += BLOCK_K
        words_at += (BLOCK_K // per_word) * words_row
    tl.store(y + m[:, None] * y_row + n[None, :], total.to(y.dtype.element_ty), mask=rows[:, None])


def prune(M, N, K):
    """The configurations with blocks cut down to the problem, without doubles."""
    def cut(block, extent):
        return min(block, max(16, triton.next_power_of_2(extent)))

    kept = []
    for block_m, block_n, block_k, stages, warps in CONFIGS:
        config = (cut(block_m, M), cut(block_n, N), cut(block_k, K), stages, warps)
        if config not in kept:
            kept.append(config)
    return kept


def launch(config, x, y, layer, bits):
    block_m, block_n, block_k, stages, warps = config
    M, K = x.shape
    N = y.shape[1]
    grid = (triton.cdiv(M, block_m) * triton.cdiv(N, block_n),)
    matmul_packed[grid](
        x, layer.qweight, y, layer.scales, layer.qzeros, layer.g_idx, M, N, K, bits, 2**bits - 1,
        x.stride(0), layer.qweight.stride(0), y.stride(0), layer.scales.stride(0),
        layer.qzeros.stride(0), BLOCK_M=block_m, BLOCK_N=block_n, BLOCK_K=block_k, GROUP_M=8,
        num_stages=stages, num_warps=warps)


def precompile(part, parts):
    """Compiles every parts-th kernel that any M needs into Triton's cache."""
    # K and N as in bench.py's shapes, multiples of 16: the rest is the same code.
    K, N, group = 256, 512, 128
    layer = SimpleNamespace(
        qweight=torch.zeros(K // 8, N, dtype=torch.int32, device="cuda"),
        qzeros=torch.zeros(K // group, N // 8, dtype=torch.int32, device="cuda"),
        scales=torch.zeros(K // group, N, dtype=torch.half, device="cuda"),
        g_idx=torch.zeros(K, dtype=torch.int32, device="cuda"))
    # Triton compiles anew for M = 1 and for multiples of 16.
    kernels = [(M, config) for M in (1, 2, 16, 32, 64, 128) for config in prune(M, N, K)]
    for M, config in kernels[part::parts]:
        x = torch.zeros(M, K, dtype=torch.half, device="cuda")
        try:
            launch(config, x, torch.empty(M, N, dtype=torch.half, device="cuda"), layer, 4)
        except triton.runtime.errors.OutOfResources:
            pass
    torch.cuda.synchronize()


if __name__ == "__main__":
    precompile(int(sys.argv[1]), int(sys.argv[2]))
