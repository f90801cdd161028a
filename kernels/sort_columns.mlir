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

!columns = !nibble.tile<BLOCK_M x BLOCK_K x X>

nibble.kernel @sort_columns
    params [BLOCK_M, BLOCK_K]
    types [X one_of [f16, bf16, f32], T one_of [f16, bf16]]
    sizes [M, K]
    grid [M by BLOCK_M, K by BLOCK_K]
    (%x: !nibble.matrix<M x K x X, strided>, %rows: !nibble.matrix<K x i32>,
     %sorted: !nibble.matrix<M x K x T>) {
  %pid = nibble.program_id
  %m, %k = nibble.tile_order %pid
  %row = nibble.load %rows[%k] : !nibble.matrix<K x i32> -> !nibble.tile<BLOCK_K x i32>
  %gathered = nibble.gather_columns %x[%m, %row] : !nibble.matrix<M x K x X, strided>, !nibble.tile<BLOCK_K x i32> -> !columns
  %rounded = nibble.round %gathered : !columns -> !nibble.tile<BLOCK_M x BLOCK_K x T>
  nibble.store %rounded, %sorted[%m, %k] : !nibble.tile<BLOCK_M x BLOCK_K x T>, !nibble.matrix<M x K x T>
}
