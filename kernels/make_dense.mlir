// Copies a matrix whose columns lie any distance apart to a dense one.
//
// QuantLinear runs it before matmul_248 on an x whose neighbours along K are
// not next to each other.

!tile = !nibble.tile<BLOCK_M x BLOCK_K x X>

nibble.kernel @make_dense
    params [BLOCK_M, BLOCK_K]
    types [X one_of [f16, bf16, f32]]
    sizes [M, K]
    grid [M by BLOCK_M, K by BLOCK_K]
    (%from: !nibble.matrix<M x K x X, strided>, %to: !nibble.matrix<M x K x X>) {
  %pid = nibble.program_id
  %m, %k = nibble.tile_order %pid
  %tile = nibble.load %from[%m, %k] : !nibble.matrix<M x K x X, strided> -> !tile
  nibble.store %tile, %to[%m, %k] : !tile, !nibble.matrix<M x K x X>
}
