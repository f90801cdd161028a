// A layer's codes from checkpoint order to the order of tensor cores' fragments.
//
//   qweight  [K * BITS / 32, N]                       codes packed along K, low bits first
//   packed   [KP / BLOCK_K, NP * BLOCK_K * BITS / 32]  units of BLOCK_K rows by 16 columns
//
// KP and NP are K and N rounded up to whole units. What lies beyond K or N is 0.
// A unit has 128 rows with 2 and 3 bits, 64 with 4, 32 with 8.

!words = !nibble.tile<BLOCK_K * BITS / 32 x BLOCK_N x i32>
!codes = !nibble.tile<BLOCK_K x BLOCK_N x !nibble.code<BITS>>
!units = !nibble.tile<1 x BLOCK_N * BLOCK_K * BITS / 32 x i32>

nibble.kernel @pack_weights
    params [BITS one_of [2, 3, 4, 8], BLOCK_K multiple_of 32 / BITS, BLOCK_N multiple_of 16]
    sizes [K multiple_of 32 / BITS, N multiple_of 32 / BITS, KP multiple_of BLOCK_K, NP multiple_of 16]
    grid [KP by BLOCK_K, NP by BLOCK_N]
    (%qweight: !nibble.matrix<K * BITS / 32 x N x i32>,
     %packed: !nibble.matrix<KP / BLOCK_K x NP * BLOCK_K * BITS / 32 x i32>) {
  %pid = nibble.program_id
  %k, %n = nibble.tile_order %pid
  %words = nibble.load %qweight[%k, %n] : !nibble.matrix<K * BITS / 32 x N x i32> -> !words
  %q = nibble.unpack %words along 0 : !words -> !codes
  %units = nibble.pack_fragments %q : !codes -> !units
  nibble.store %units, %packed[%k, %n] : !units, !nibble.matrix<KP / BLOCK_K x NP * BLOCK_K * BITS / 32 x i32>
}
