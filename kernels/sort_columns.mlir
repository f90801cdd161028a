// x with its columns in the order of an act-order layer's sorted rows.
//
// QuantLinear runs it before matmul_248 on packed weights, whose rows lie group
// by group (lib/Model/PackedWeights.h), where a kernel that gathers x in every
// block would read far more than x; but for a few rows, which matmul_248 can
// hold (lib/Conversion/HeldRows.h). The kernel after it may begin meanwhile.
//
//   x       [M, K]  activations, columns any distance apart
//   rows    [K]     the row of W that each row of the sorted W was
//   sorted  [M, K]  column k is column rows[k] of x, rounded to T
//
// Both matrices are named by their columns, so that neighbouring threads write
// neighbours.

!columns = !nibble.tile<BLOCK_K x BLOCK_M x X>

nibble.kernel @sort_columns
    params [BLOCK_M, BLOCK_K]
    types [X one_of [f16, bf16, f32], T one_of [f16, bf16]]
    sizes [M, K]
    grid [K by BLOCK_K, M by BLOCK_M]
    (%x: !nibble.matrix<K x M x X, strided>, %rows: !nibble.matrix<K x i32>,
     %sorted: !nibble.matrix<K x M x T, strided>) {
  %pid = nibble.program_id
  %k, %m = nibble.tile_order %pid
  %row = nibble.load %rows[%k] : !nibble.matrix<K x i32> -> !nibble.tile<BLOCK_K x i32>
  %gathered = nibble.gather %x[%row, %m] : !nibble.matrix<K x M x X, strided>, !nibble.tile<BLOCK_K x i32> -> !columns
  %rounded = nibble.round %gathered : !columns -> !nibble.tile<BLOCK_K x BLOCK_M x T>
  nibble.store %rounded, %sorted[%k, %m] : !nibble.tile<BLOCK_K x BLOCK_M x T>, !nibble.matrix<K x M x T, strided>
}
