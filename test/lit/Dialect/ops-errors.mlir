// RUN: nibble-opt %s --split-input-file --verify-diagnostics
// Every error of the operations' verifiers.

nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  // expected-error @below {{'P' is not a parameter of '@k'}}
  %a = nibble.param P : i1
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  // expected-error @below {{'P' is not a size of '@k'}}
  %a = nibble.size P
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  // expected-error @below {{gives one group a row: expected a tile with one extent, got}}
  %a = nibble.row_group %i of M by 8 : !nibble.tile<8 x 8 x i32>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  // expected-error @below {{differ in their number of extents}}
  %a = nibble.load %x[%i, %i] : !nibble.matrix<M x N x f16> -> !nibble.tile<8 x f16>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  // expected-error @below {{expected 2 coordinates, got 1}}
  %a = nibble.load %x[%i] : !nibble.matrix<M x N x f16> -> !nibble.tile<8 x 8 x f16>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  // expected-error @below {{differ in their element type}}
  %a = nibble.load %x[%i, %i] : !nibble.matrix<M x N x f16> -> !nibble.tile<8 x 8 x f32>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  // expected-error @below {{padding is for i32 elements, not 'f16'}}
  %a = nibble.load %v[%i] padding -1 : !nibble.matrix<N x f16> -> !nibble.tile<8 x f16>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  %r = nibble.load %w[%i, %i] : !nibble.matrix<M x N x i32> -> !nibble.tile<8 x 8 x i32>
  // expected-error @below {{row numbers are a tile with one extent, got}}
  %a = nibble.gather %x[%r, %i] : !nibble.matrix<M x N x f16>, !nibble.tile<8 x 8 x i32> -> !nibble.tile<8 x 8 x f16>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  %r = nibble.row_group %i of M by 8 : !nibble.tile<8 x i32>
  // expected-error @below {{gathers rows of a matrix with two extents, got}}
  %a = nibble.gather %v[%r, %i] : !nibble.matrix<N x f16>, !nibble.tile<8 x i32> -> !nibble.tile<8 x f16>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  %r = nibble.row_group %i of M by 8 : !nibble.tile<8 x i32>
  // expected-error @below {{gives 4 rows for 8 row numbers}}
  %a = nibble.gather %x[%r, %i] : !nibble.matrix<M x N x f16>, !nibble.tile<8 x i32> -> !nibble.tile<4 x 8 x f16>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  %r = nibble.load %w[%i, %i] : !nibble.matrix<M x N x i32> -> !nibble.tile<8 x 8 x i32>
  // expected-error @below {{column numbers are a tile with one extent, got}}
  %a = nibble.gather_columns %x[%i, %r] : !nibble.matrix<M x N x f16>, !nibble.tile<8 x 8 x i32> -> !nibble.tile<8 x 8 x f16>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  %r = nibble.row_group %i of M by 8 : !nibble.tile<8 x i32>
  // expected-error @below {{gathers columns of a matrix with two extents, got}}
  %a = nibble.gather_columns %v[%i, %r] : !nibble.matrix<N x f16>, !nibble.tile<8 x i32> -> !nibble.tile<8 x f16>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  %r = nibble.row_group %i of M by 8 : !nibble.tile<8 x i32>
  // expected-error @below {{gives 4 columns for 8 column numbers}}
  %a = nibble.gather_columns %x[%i, %r] : !nibble.matrix<M x N x f16>, !nibble.tile<8 x i32> -> !nibble.tile<8 x 4 x f16>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  %a = nibble.load %w[%i, %i] : !nibble.matrix<M x N x i32> -> !nibble.tile<8 x 8 x i32>
  // expected-error @below {{differ in their number of extents}}
  %b = nibble.unpack %a along 0 : !nibble.tile<8 x 8 x i32> -> !nibble.tile<64 x !nibble.code<4>>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  %a = nibble.load %w[%i, %i] : !nibble.matrix<M x N x i32> -> !nibble.tile<8 x 8 x i32>
  // expected-error @below {{axis 2 is not a dimension of}}
  %b = nibble.unpack %a along 2 : !nibble.tile<8 x 8 x i32> -> !nibble.tile<64 x 8 x !nibble.code<4>>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  %a = nibble.load %w[%i, %i] : !nibble.matrix<M x N x i32> -> !nibble.tile<8 x 8 x i32>
  // expected-error @below {{codes of 5 bits are not packed; 2, 3, 4 and 8 are}}
  %b = nibble.unpack %a along 0 : !nibble.tile<8 x 8 x i32> -> !nibble.tile<64 x 8 x !nibble.code<5>>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  %a = nibble.load %w[%i, %i] : !nibble.matrix<M x N x i32> -> !nibble.tile<8 x 8 x i32>
  // expected-error @below {{along 0 need 16 words in dimension 0, not 8}}
  %b = nibble.unpack %a along 0 : !nibble.tile<8 x 8 x i32> -> !nibble.tile<64 x 8 x !nibble.code<8>>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  %a = nibble.load %w[%i, %i] : !nibble.matrix<M x N x i32> -> !nibble.tile<8 x 8 x i32>
  %q = nibble.unpack %a along 0 : !nibble.tile<8 x 8 x i32> -> !nibble.tile<64 x 8 x !nibble.code<4>>
  %z = nibble.unpack %a along 1 : !nibble.tile<8 x 8 x i32> -> !nibble.tile<8 x 64 x !nibble.code<4>>
  %s = nibble.splat 1.0 : !nibble.tile<64 x 8 x f16>
  // expected-error @below {{and zero points '!nibble.tile<8 x 64 x !nibble.code<4>>' differ}}
  %d = "nibble.dequantize"(%q, %z, %s) : (!nibble.tile<64 x 8 x !nibble.code<4>>, !nibble.tile<8 x 64 x !nibble.code<4>>, !nibble.tile<64 x 8 x f16>) -> !nibble.tile<64 x 8 x f16>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  %a = nibble.load %w[%i, %i] : !nibble.matrix<M x N x i32> -> !nibble.tile<8 x 8 x i32>
  %q = nibble.unpack %a along 0 : !nibble.tile<8 x 8 x i32> -> !nibble.tile<64 x 8 x !nibble.code<4>>
  %s = nibble.splat 1.0 : !nibble.tile<8 x 8 x f16>
  // expected-error @below {{do not have the extents of codes}}
  %d = nibble.dequantize %q, zero %q, scale %s : !nibble.tile<64 x 8 x !nibble.code<4>>, !nibble.tile<8 x 8 x f16> -> !nibble.tile<64 x 8 x f16>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  %a = nibble.load %w[%i, %i] : !nibble.matrix<M x N x i32> -> !nibble.tile<8 x 8 x i32>
  %q = nibble.unpack %a along 0 : !nibble.tile<8 x 8 x i32> -> !nibble.tile<64 x 8 x !nibble.code<4>>
  %s = nibble.splat 1.0 : !nibble.tile<64 x 8 x f16>
  // expected-error @below {{weights '!nibble.tile<8 x 8 x f16>' do not have the extents of codes}}
  %d = nibble.dequantize %q, zero %q, scale %s : !nibble.tile<64 x 8 x !nibble.code<4>>, !nibble.tile<64 x 8 x f16> -> !nibble.tile<8 x 8 x f16>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  %s = nibble.splat 1.0 : !nibble.tile<64 x 8 x f16>
  // expected-error @below {{changes extents: from}}
  %d = nibble.round %s : !nibble.tile<64 x 8 x f16> -> !nibble.tile<8 x 8 x f32>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  %s = nibble.splat 1.0 : !nibble.tile<4 x f16>
  // expected-error @below {{cannot repeat}}
  %d = nibble.broadcast %s : !nibble.tile<4 x f16> -> !nibble.tile<8 x 8 x f16>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  %l = nibble.splat 1.0 : !nibble.tile<8 x f16>
  %r = nibble.splat 1.0 : !nibble.tile<8 x 8 x f16>
  %c = nibble.splat 0.0 : !nibble.tile<8 x 8 x f32>
  // expected-error @below {{expected tiles with two extents, got}}
  %d = nibble.dot %l, %r, %c : !nibble.tile<8 x f16>, !nibble.tile<8 x 8 x f16> -> !nibble.tile<8 x 8 x f32>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  %l = nibble.splat 1.0 : !nibble.tile<8 x 8 x f16>
  %r = nibble.splat 1.0 : !nibble.tile<8 x 8 x bf16>
  %c = nibble.splat 0.0 : !nibble.tile<8 x 8 x f32>
  // expected-error @below {{differ in their element type}}
  %d = nibble.dot %l, %r, %c : !nibble.tile<8 x 8 x f16>, !nibble.tile<8 x 8 x bf16> -> !nibble.tile<8 x 8 x f32>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  %l = nibble.splat 1.0 : !nibble.tile<8 x 8 x f16>
  %r = nibble.splat 1.0 : !nibble.tile<8 x 8 x f16>
  %c = nibble.splat 0.0 : !nibble.tile<8 x 8 x f16>
  // expected-error @below {{accumulates in f32, not in 'f16'}}
  %d = nibble.dot %l, %r, %c : !nibble.tile<8 x 8 x f16>, !nibble.tile<8 x 8 x f16> -> !nibble.tile<8 x 8 x f16>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  %l = nibble.splat 1.0 : !nibble.tile<8 x 4 x f16>
  %r = nibble.splat 1.0 : !nibble.tile<8 x 8 x f16>
  %c = nibble.splat 0.0 : !nibble.tile<8 x 8 x f32>
  // expected-error @below {{sums over 4 columns of}}
  %d = nibble.dot %l, %r, %c : !nibble.tile<8 x 4 x f16>, !nibble.tile<8 x 8 x f16> -> !nibble.tile<8 x 8 x f32>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  %l = nibble.splat 1.0 : !nibble.tile<8 x 8 x f16>
  %r = nibble.splat 1.0 : !nibble.tile<8 x 16 x f16>
  %c = nibble.splat 0.0 : !nibble.tile<8 x 8 x f32>
  // expected-error @below {{is not 8 x 16}}
  %d = nibble.dot %l, %r, %c : !nibble.tile<8 x 8 x f16>, !nibble.tile<8 x 16 x f16> -> !nibble.tile<8 x 8 x f32>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x i32>) {
  %i = nibble.program_id
  %a = nibble.load %v[%i] : !nibble.matrix<N x i32> -> !nibble.tile<8 x i32>
  %q = nibble.unpack %a along 0 : !nibble.tile<8 x i32> -> !nibble.tile<64 x !nibble.code<4>>
  // expected-error @below {{expected tiles with two extents, got '!nibble.tile<64 x !nibble.code<4>>'}}
  %b = nibble.pack_fragments %q : !nibble.tile<64 x !nibble.code<4>> -> !nibble.tile<1 x 128 x i32>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x i32>) {
  %i = nibble.program_id
  %a = nibble.load %w[%i, %i] : !nibble.matrix<M x N x i32> -> !nibble.tile<8 x 16 x i32>
  %q = nibble.unpack %a along 0 : !nibble.tile<8 x 16 x i32> -> !nibble.tile<64 x 16 x !nibble.code<4>>
  // expected-error @below {{expected tiles with two extents, got '!nibble.tile<128 x i32>'}}
  %b = nibble.pack_fragments %q : !nibble.tile<64 x 16 x !nibble.code<4>> -> !nibble.tile<128 x i32>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x i32>) {
  %i = nibble.program_id
  %q = builtin.unrealized_conversion_cast %i : index to !nibble.tile<64 x 16 x !nibble.code<5>>
  // expected-error @below {{codes of 5 bits have no order of fragments; 2, 3, 4 and 8 do}}
  %b = nibble.pack_fragments %q : !nibble.tile<64 x 16 x !nibble.code<5>> -> !nibble.tile<1 x 128 x i32>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x i32>) {
  %i = nibble.program_id
  %a = nibble.load %w[%i, %i] : !nibble.matrix<M x N x i32> -> !nibble.tile<24 x 16 x i32>
  %q = nibble.unpack %a along 0 : !nibble.tile<24 x 16 x i32> -> !nibble.tile<256 x 16 x !nibble.code<3>>
  // expected-error @below {{need 2 x 192 words, not 3 x 128}}
  %b = nibble.pack_fragments %q : !nibble.tile<256 x 16 x !nibble.code<3>> -> !nibble.tile<3 x 128 x i32>
}

// -----
nibble.kernel @k params [BITS one_of [2, 3]] sizes [M, N] grid [M by 8, N by 8]
    (%w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x i32>) {
  %i = nibble.program_id
  %a = nibble.load %w[%i, %i] : !nibble.matrix<M x N x i32> -> !nibble.tile<4 * BITS x 16 x i32>
  %q = nibble.unpack %a along 0 : !nibble.tile<4 * BITS x 16 x i32> -> !nibble.tile<128 x 16 x !nibble.code<BITS>>
  // expected-error @below {{need 1 x 64 * BITS words, not 1 x 128}}
  %b = nibble.pack_fragments %q : !nibble.tile<128 x 16 x !nibble.code<BITS>> -> !nibble.tile<1 x 128 x i32>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x i32>) {
  %i = nibble.program_id
  %a = nibble.load %w[%i, %i] : !nibble.matrix<M x N x i32> -> !nibble.tile<8 x 8 x i32>
  %q = nibble.unpack %a along 0 : !nibble.tile<8 x 8 x i32> -> !nibble.tile<64 x 8 x !nibble.code<4>>
  // expected-error @below {{needs whole units of 16 columns, but 8 is not known to be a multiple of 16}}
  %b = nibble.pack_fragments %q : !nibble.tile<64 x 8 x !nibble.code<4>> -> !nibble.tile<1 x 64 x i32>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x i32>) {
  %i = nibble.program_id
  %a = nibble.load %w[%i, %i] : !nibble.matrix<M x N x i32> -> !nibble.tile<4 x 16 x i32>
  %q = nibble.unpack %a along 0 : !nibble.tile<4 x 16 x i32> -> !nibble.tile<32 x 16 x !nibble.code<4>>
  // expected-error @below {{need 1 / 2 x 128 words, not 1 x 128}}
  %b = nibble.pack_fragments %q : !nibble.tile<32 x 16 x !nibble.code<4>> -> !nibble.tile<1 x 128 x i32>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x i32>) {
  %i = nibble.program_id
  %a = nibble.load %w[%i, %i] : !nibble.matrix<M x N x i32> -> !nibble.tile<8 x 16 x i32>
  %q = nibble.unpack %a along 0 : !nibble.tile<8 x 16 x i32> -> !nibble.tile<64 x 16 x !nibble.code<4>>
  // expected-error @below {{need 1 x 128 words, not 1 x 64}}
  %b = nibble.pack_fragments %q : !nibble.tile<64 x 16 x !nibble.code<4>> -> !nibble.tile<1 x 64 x i32>
}

// -----
nibble.kernel @k params [C] sizes [M] grid [M by 8] (%w: !nibble.matrix<M x C x i32>) {
  %i = nibble.program_id
  %a = nibble.load %w[%i, %i] : !nibble.matrix<M x C x i32> -> !nibble.tile<8 x C x i32>
  %q = nibble.unpack %a along 0 : !nibble.tile<8 x C x i32> -> !nibble.tile<64 x C x !nibble.code<4>>
  // expected-error @below {{but C is not known to be a multiple of 16}}
  %b = nibble.pack_fragments %q : !nibble.tile<64 x C x !nibble.code<4>> -> !nibble.tile<1 x C * 8 x i32>
}

// -----
nibble.kernel @k params [] sizes [N] grid [N by 8] () {
  %i = nibble.program_id
  // expected-error @below {{needs a grid of two dimensions, kernel '@k' has 1}}
  %a, %b = nibble.tile_order %i
}

// -----
// expected-error @below {{must be inside a nibble.kernel}}
%i = nibble.program_id

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 8, N by 8]
    (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %v: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  %q = arith.constant 0 : index
  // expected-error @below {{must be tile of i32 words}}
  %b = "nibble.unpack"(%x) <{axis = 0 : i64}> : (!nibble.matrix<M x N x f16>) -> !nibble.tile<64 x 8 x !nibble.code<8>>
}
