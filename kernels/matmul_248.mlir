// y = x W + bias, with W in GPTQ's packing: the kernel that QuantLinear runs.
//
// One program computes a BLOCK_M x BLOCK_N block of y. It walks over K in steps
// of BLOCK_K; in each step it loads activations and packed words, takes the
// codes out of the words, turns them into weights with the scale and the zero
// point of their group, and adds the product to an fp32 accumulator.
//
//   x        [M, K]             activations, rounded to T before the product
//   qweight  [K * BITS / 32, N] codes packed along K, low bits first; one of 3
//                               bits may lie across two words (nibble/Codec.h)
//   qzeros   [G, N * BITS / 32] zero points minus one, packed along N
//   scales   [G, N]             of type S
//   g_idx    [K]                the group of each row; read if ACT_ORDER
//   bias     [N]                read if HAS_BIAS
//   y        [M, N]
//
// dialects/Nibble/README.md goes through it op by op.

!words   = !nibble.tile<BLOCK_K * BITS / 32 x BLOCK_N x i32>
!zwords  = !nibble.tile<BLOCK_K x BLOCK_N * BITS / 32 x i32>
!codes   = !nibble.tile<BLOCK_K x BLOCK_N x !nibble.code<BITS>>
!scales  = !nibble.tile<BLOCK_K x BLOCK_N x S>
!weights = !nibble.tile<BLOCK_K x BLOCK_N x T>
!groups  = !nibble.tile<BLOCK_K x i32>
!acc     = !nibble.tile<BLOCK_M x BLOCK_N x f32>

nibble.kernel @matmul_248
    params [BITS one_of [2, 3, 4, 8], GROUP_SIZE, ACT_ORDER one_of [0, 1], HAS_BIAS one_of [0, 1],
            BLOCK_M, BLOCK_N multiple_of 32 / BITS, BLOCK_K multiple_of 32 / BITS, GROUP_M]
    types [X one_of [f16, bf16, f32], T one_of [f16, bf16], Y one_of [f16, bf16],
           S one_of [f16, f32]]
    sizes [M, N multiple_of 32 / BITS, K multiple_of 32 / BITS, G]
    grid [M by BLOCK_M, N by BLOCK_N]
    (%x: !nibble.matrix<M x K x X>,
     %qweight: !nibble.matrix<K * BITS / 32 x N x i32>,
     %qzeros: !nibble.matrix<G x N * BITS / 32 x i32>,
     %scales: !nibble.matrix<G x N x S>,
     %g_idx: !nibble.matrix<K x i32>,
     %bias: !nibble.matrix<N x f32>,
     %y: !nibble.matrix<M x N x Y>) {
  %pid = nibble.program_id
  %m, %n = nibble.tile_order %pid group GROUP_M

  %first = arith.constant 0 : index
  %step = arith.constant 1 : index
  %steps = nibble.tile_count K by BLOCK_K
  %zero = nibble.splat 0.0 : !acc
  %sum = scf.for %k = %first to %steps step %step iter_args(%acc = %zero) -> (!acc) {
    %loaded = nibble.load %x[%m, %k] : !nibble.matrix<M x K x X> -> !nibble.tile<BLOCK_M x BLOCK_K x X>
    %a = nibble.round %loaded : !nibble.tile<BLOCK_M x BLOCK_K x X> -> !nibble.tile<BLOCK_M x BLOCK_K x T>

    %words = nibble.load %qweight[%k, %n] : !nibble.matrix<K * BITS / 32 x N x i32> -> !words
    %q = nibble.unpack %words along 0 : !words -> !codes

    %act_order = nibble.param ACT_ORDER : i1
    %group = scf.if %act_order -> (!groups) {
      %given = nibble.load %g_idx[%k] padding -1 : !nibble.matrix<K x i32> -> !groups
      scf.yield %given : !groups
    } else {
      %computed = nibble.row_group %k of K by GROUP_SIZE : !groups
      scf.yield %computed : !groups
    }
    %scale = nibble.gather %scales[%group, %n] : !nibble.matrix<G x N x S>, !groups -> !scales
    %zeros = nibble.gather %qzeros[%group, %n] : !nibble.matrix<G x N * BITS / 32 x i32>, !groups -> !zwords
    %z = nibble.unpack %zeros along 1 : !zwords -> !codes

    %w = nibble.dequantize %q, zero %z stored_minus_one, scale %scale : !codes, !scales -> !weights
    %next = nibble.dot %a, %w, %acc : !nibble.tile<BLOCK_M x BLOCK_K x T>, !weights -> !acc
    scf.yield %next : !acc
  }

  %has_bias = nibble.param HAS_BIAS : i1
  %biased = scf.if %has_bias -> (!acc) {
    %row = nibble.load %bias[%n] : !nibble.matrix<N x f32> -> !nibble.tile<BLOCK_N x f32>
    %rows = nibble.broadcast %row : !nibble.tile<BLOCK_N x f32> -> !acc
    %with = nibble.add %sum, %rows : !acc
    scf.yield %with : !acc
  } else {
    scf.yield %sum : !acc
  }
  %out = nibble.round %biased : !acc -> !nibble.tile<BLOCK_M x BLOCK_N x Y>
  nibble.store %out, %y[%m, %n] : !nibble.tile<BLOCK_M x BLOCK_N x Y>, !nibble.matrix<M x N x Y>
}
