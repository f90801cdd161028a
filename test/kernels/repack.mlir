// Codes packed along K to codes packed along N, low bits first in both.

!codes = !nibble.tile<BLOCK_K x BLOCK_N x !nibble.code<BITS>>

nibble.kernel @repack
    params [BITS one_of [2, 3, 4, 8], BLOCK_N multiple_of 32 / BITS, BLOCK_K multiple_of 32 / BITS]
    sizes [N multiple_of 32 / BITS, K multiple_of 32 / BITS]
    grid [K by BLOCK_K, N by BLOCK_N]
    (%from: !nibble.matrix<K * BITS / 32 x N x i32>,
     %to: !nibble.matrix<K x N * BITS / 32 x i32>) {
  %pid = nibble.program_id
  %k, %n = nibble.tile_order %pid
  %words = nibble.load %from[%k, %n] : !nibble.matrix<K * BITS / 32 x N x i32> -> !nibble.tile<BLOCK_K * BITS / 32 x BLOCK_N x i32>
  %q = nibble.unpack %words along 0 : !nibble.tile<BLOCK_K * BITS / 32 x BLOCK_N x i32> -> !codes
  %out = nibble.pack %q along 1 : !codes -> !nibble.tile<BLOCK_K x BLOCK_N * BITS / 32 x i32>
  nibble.store %out, %to[%k, %n] : !nibble.tile<BLOCK_K x BLOCK_N * BITS / 32 x i32>, !nibble.matrix<K x N * BITS / 32 x i32>
}
