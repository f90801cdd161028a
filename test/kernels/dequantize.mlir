// The weights of a GPTQ layer as a matrix: w = (q - z) * scale.

!words   = !nibble.tile<BLOCK_K * BITS / 32 x BLOCK_N x i32>
!zwords  = !nibble.tile<BLOCK_K x BLOCK_N * BITS / 32 x i32>
!codes   = !nibble.tile<BLOCK_K x BLOCK_N x !nibble.code<BITS>>

nibble.kernel @dequantize
    params [BITS one_of [2, 3, 4, 8], BLOCK_N multiple_of 32 / BITS, BLOCK_K multiple_of 32 / BITS]
    types [T one_of [f16, bf16, f32]]
    sizes [N multiple_of 32 / BITS, K multiple_of 32 / BITS, G]
    grid [K by BLOCK_K, N by BLOCK_N]
    (%qweight: !nibble.matrix<K * BITS / 32 x N x i32>,
     %qzeros: !nibble.matrix<G x N * BITS / 32 x i32>,
     %scales: !nibble.matrix<G x N x f16>,
     %g_idx: !nibble.matrix<K x i32>,
     %w: !nibble.matrix<K x N x T>) {
  %pid = nibble.program_id
  %k, %n = nibble.tile_order %pid
  %words = nibble.load %qweight[%k, %n] : !nibble.matrix<K * BITS / 32 x N x i32> -> !words
  %q = nibble.unpack %words along 0 : !words -> !codes
  %group = nibble.load %g_idx[%k] padding -1 : !nibble.matrix<K x i32> -> !nibble.tile<BLOCK_K x i32>
  %scale = nibble.gather %scales[%group, %n] : !nibble.matrix<G x N x f16>, !nibble.tile<BLOCK_K x i32> -> !nibble.tile<BLOCK_K x BLOCK_N x f16>
  %zeros = nibble.gather %qzeros[%group, %n] : !nibble.matrix<G x N * BITS / 32 x i32>, !nibble.tile<BLOCK_K x i32> -> !zwords
  %z = nibble.unpack %zeros along 1 : !zwords -> !codes
  %dequantized = nibble.dequantize %q, zero %z stored_minus_one, scale %scale : !codes, !nibble.tile<BLOCK_K x BLOCK_N x f16> -> !nibble.tile<BLOCK_K x BLOCK_N x T>
  nibble.store %dequantized, %w[%k, %n] : !nibble.tile<BLOCK_K x BLOCK_N x T>, !nibble.matrix<K x N x T>
}
