// RUN: nibble-opt %s --split-input-file --verify-diagnostics --nibble-schedule-mma-packed="warps=4 shared-bytes=65536"
// What the schedule mma_packed refuses, with the operation that stands in the way.

nibble.kernel @k params [] sizes [M, N multiple_of 8, K multiple_of 8, G] grid [M by 8, N by 64]
    (%x: !nibble.matrix<M x K x f16>, %q: !nibble.matrix<K * 4 / 32 x N x i32>,
     %z: !nibble.matrix<G x N * 4 / 32 x i32>, %s: !nibble.matrix<G x N x f16>, %y: !nibble.matrix<M x N x f16>)
    attributes {nibble.packed = 40 : i64} {
  %pid = nibble.program_id
  %i, %j = nibble.tile_order %pid
  %first = arith.constant 0 : index
  %step = arith.constant 1 : index
  %steps = nibble.tile_count K by 128
  %zero = nibble.splat 0.0 : !nibble.tile<8 x 64 x f32>
  %sum = scf.for %c = %first to %steps step %step iter_args(%acc = %zero) -> (!nibble.tile<8 x 64 x f32>) {
    %a = nibble.load %x[%i, %c] : !nibble.matrix<M x K x f16> -> !nibble.tile<8 x 128 x f16>
    %w = nibble.load %q[%c, %j] : !nibble.matrix<K * 4 / 32 x N x i32> -> !nibble.tile<16 x 64 x i32>
    %u = nibble.unpack %w along 0 : !nibble.tile<16 x 64 x i32> -> !nibble.tile<128 x 64 x !nibble.code<4>>
    %g = nibble.row_group %c of K by 128 : !nibble.tile<128 x i32>
    %h = nibble.row_group %c of K by 64 : !nibble.tile<128 x i32>
    %sc = nibble.gather %s[%g, %j] : !nibble.matrix<G x N x f16>, !nibble.tile<128 x i32> -> !nibble.tile<128 x 64 x f16>
    %zw = nibble.gather %z[%g, %j] : !nibble.matrix<G x N * 4 / 32 x i32>, !nibble.tile<128 x i32> -> !nibble.tile<128 x 8 x i32>
    %zu = nibble.unpack %zw along 1 : !nibble.tile<128 x 8 x i32> -> !nibble.tile<128 x 64 x !nibble.code<4>>
    %d = nibble.dequantize %u, zero %zu, scale %sc : !nibble.tile<128 x 64 x !nibble.code<4>>, !nibble.tile<128 x 64 x f16> -> !nibble.tile<128 x 64 x f16>
    // expected-error @below {{the schedule mma_packed refuses this kernel: nibble.dot has groups of 40 rows, not a multiple of 16}}
    %next = nibble.dot %a, %d, %acc : !nibble.tile<8 x 128 x f16>, !nibble.tile<128 x 64 x f16> -> !nibble.tile<8 x 64 x f32>
    scf.yield %next : !nibble.tile<8 x 64 x f32>
  }
  %out = nibble.round %sum : !nibble.tile<8 x 64 x f32> -> !nibble.tile<8 x 64 x f16>
  nibble.store %out, %y[%i, %j] : !nibble.tile<8 x 64 x f16>, !nibble.matrix<M x N x f16>
}

// -----
nibble.kernel @k params [] sizes [M, N multiple_of 8, K multiple_of 8, G] grid [M by 12, N by 64]
    (%x: !nibble.matrix<M x K x f16>, %q: !nibble.matrix<K * 4 / 32 x N x i32>,
     %z: !nibble.matrix<G x N * 4 / 32 x i32>, %s: !nibble.matrix<G x N x f16>, %y: !nibble.matrix<M x N x f16>)
    attributes {nibble.packed = 128 : i64} {
  %pid = nibble.program_id
  %i, %j = nibble.tile_order %pid
  %first = arith.constant 0 : index
  %step = arith.constant 1 : index
  %steps = nibble.tile_count K by 128
  %zero = nibble.splat 0.0 : !nibble.tile<12 x 64 x f32>
  %sum = scf.for %c = %first to %steps step %step iter_args(%acc = %zero) -> (!nibble.tile<12 x 64 x f32>) {
    %a = nibble.load %x[%i, %c] : !nibble.matrix<M x K x f16> -> !nibble.tile<12 x 128 x f16>
    %w = nibble.load %q[%c, %j] : !nibble.matrix<K * 4 / 32 x N x i32> -> !nibble.tile<16 x 64 x i32>
    %u = nibble.unpack %w along 0 : !nibble.tile<16 x 64 x i32> -> !nibble.tile<128 x 64 x !nibble.code<4>>
    %g = nibble.row_group %c of K by 128 : !nibble.tile<128 x i32>
    %h = nibble.row_group %c of K by 64 : !nibble.tile<128 x i32>
    %sc = nibble.gather %s[%g, %j] : !nibble.matrix<G x N x f16>, !nibble.tile<128 x i32> -> !nibble.tile<128 x 64 x f16>
    %zw = nibble.gather %z[%g, %j] : !nibble.matrix<G x N * 4 / 32 x i32>, !nibble.tile<128 x i32> -> !nibble.tile<128 x 8 x i32>
    %zu = nibble.unpack %zw along 1 : !nibble.tile<128 x 8 x i32> -> !nibble.tile<128 x 64 x !nibble.code<4>>
    %d = nibble.dequantize %u, zero %zu, scale %sc : !nibble.tile<128 x 64 x !nibble.code<4>>, !nibble.tile<128 x 64 x f16> -> !nibble.tile<128 x 64 x f16>
    // expected-error @below {{the schedule mma_packed refuses this kernel: nibble.dot has 12 rows, not a multiple of 8 up to 64}}
    %next = nibble.dot %a, %d, %acc : !nibble.tile<12 x 128 x f16>, !nibble.tile<128 x 64 x f16> -> !nibble.tile<12 x 64 x f32>
    scf.yield %next : !nibble.tile<12 x 64 x f32>
  }
  %out = nibble.round %sum : !nibble.tile<12 x 64 x f32> -> !nibble.tile<12 x 64 x f16>
  nibble.store %out, %y[%i, %j] : !nibble.tile<12 x 64 x f16>, !nibble.matrix<M x N x f16>
}

// -----
nibble.kernel @k params [] sizes [M, N multiple_of 8, K multiple_of 8, G] grid [M by 72, N by 64]
    (%x: !nibble.matrix<M x K x f16>, %q: !nibble.matrix<K * 4 / 32 x N x i32>,
     %z: !nibble.matrix<G x N * 4 / 32 x i32>, %s: !nibble.matrix<G x N x f16>, %y: !nibble.matrix<M x N x f16>)
    attributes {nibble.packed = 128 : i64} {
  %pid = nibble.program_id
  %i, %j = nibble.tile_order %pid
  %first = arith.constant 0 : index
  %step = arith.constant 1 : index
  %steps = nibble.tile_count K by 128
  %zero = nibble.splat 0.0 : !nibble.tile<72 x 64 x f32>
  %sum = scf.for %c = %first to %steps step %step iter_args(%acc = %zero) -> (!nibble.tile<72 x 64 x f32>) {
    %a = nibble.load %x[%i, %c] : !nibble.matrix<M x K x f16> -> !nibble.tile<72 x 128 x f16>
    %w = nibble.load %q[%c, %j] : !nibble.matrix<K * 4 / 32 x N x i32> -> !nibble.tile<16 x 64 x i32>
    %u = nibble.unpack %w along 0 : !nibble.tile<16 x 64 x i32> -> !nibble.tile<128 x 64 x !nibble.code<4>>
    %g = nibble.row_group %c of K by 128 : !nibble.tile<128 x i32>
    %h = nibble.row_group %c of K by 64 : !nibble.tile<128 x i32>
    %sc = nibble.gather %s[%g, %j] : !nibble.matrix<G x N x f16>, !nibble.tile<128 x i32> -> !nibble.tile<128 x 64 x f16>
    %zw = nibble.gather %z[%g, %j] : !nibble.matrix<G x N * 4 / 32 x i32>, !nibble.tile<128 x i32> -> !nibble.tile<128 x 8 x i32>
    %zu = nibble.unpack %zw along 1 : !nibble.tile<128 x 8 x i32> -> !nibble.tile<128 x 64 x !nibble.code<4>>
    %d = nibble.dequantize %u, zero %zu, scale %sc : !nibble.tile<128 x 64 x !nibble.code<4>>, !nibble.tile<128 x 64 x f16> -> !nibble.tile<128 x 64 x f16>
    // expected-error @below {{the schedule mma_packed refuses this kernel: nibble.dot has 72 rows, not a multiple of 8 up to 64}}
    %next = nibble.dot %a, %d, %acc : !nibble.tile<72 x 128 x f16>, !nibble.tile<128 x 64 x f16> -> !nibble.tile<72 x 64 x f32>
    scf.yield %next : !nibble.tile<72 x 64 x f32>
  }
  %out = nibble.round %sum : !nibble.tile<72 x 64 x f32> -> !nibble.tile<72 x 64 x f16>
  nibble.store %out, %y[%i, %j] : !nibble.tile<72 x 64 x f16>, !nibble.matrix<M x N x f16>
}

// -----
nibble.kernel @k params [] sizes [M, N multiple_of 8, K multiple_of 8, G] grid [M by 8, N by 64]
    (%x: !nibble.matrix<M x K x f16>, %q: !nibble.matrix<K * 4 / 32 x N x i32>,
     %z: !nibble.matrix<G x N * 4 / 32 x i32>, %s: !nibble.matrix<G x N x f16>, %y: !nibble.matrix<M x N x f16>)
    attributes {nibble.packed = 128 : i64} {
  %pid = nibble.program_id
  %i, %j = nibble.tile_order %pid
  %first = arith.constant 0 : index
  %step = arith.constant 1 : index
  %steps = nibble.tile_count K by 64
  %zero = nibble.splat 0.0 : !nibble.tile<8 x 64 x f32>
  %sum = scf.for %c = %first to %steps step %step iter_args(%acc = %zero) -> (!nibble.tile<8 x 64 x f32>) {
    %a = nibble.load %x[%i, %c] : !nibble.matrix<M x K x f16> -> !nibble.tile<8 x 64 x f16>
    %w = nibble.load %q[%c, %j] : !nibble.matrix<K * 4 / 32 x N x i32> -> !nibble.tile<8 x 64 x i32>
    %u = nibble.unpack %w along 0 : !nibble.tile<8 x 64 x i32> -> !nibble.tile<64 x 64 x !nibble.code<4>>
    %g = nibble.row_group %c of K by 128 : !nibble.tile<64 x i32>
    %h = nibble.row_group %c of K by 64 : !nibble.tile<64 x i32>
    %sc = nibble.gather %s[%g, %j] : !nibble.matrix<G x N x f16>, !nibble.tile<64 x i32> -> !nibble.tile<64 x 64 x f16>
    %zw = nibble.gather %z[%g, %j] : !nibble.matrix<G x N * 4 / 32 x i32>, !nibble.tile<64 x i32> -> !nibble.tile<64 x 8 x i32>
    %zu = nibble.unpack %zw along 1 : !nibble.tile<64 x 8 x i32> -> !nibble.tile<64 x 64 x !nibble.code<4>>
    %d = nibble.dequantize %u, zero %zu, scale %sc : !nibble.tile<64 x 64 x !nibble.code<4>>, !nibble.tile<64 x 64 x f16> -> !nibble.tile<64 x 64 x f16>
    // expected-error @below {{the schedule mma_packed refuses this kernel: nibble.dot has 64 steps over K, not a multiple of 128}}
    %next = nibble.dot %a, %d, %acc : !nibble.tile<8 x 64 x f16>, !nibble.tile<64 x 64 x f16> -> !nibble.tile<8 x 64 x f32>
    scf.yield %next : !nibble.tile<8 x 64 x f32>
  }
  %out = nibble.round %sum : !nibble.tile<8 x 64 x f32> -> !nibble.tile<8 x 64 x f16>
  nibble.store %out, %y[%i, %j] : !nibble.tile<8 x 64 x f16>, !nibble.matrix<M x N x f16>
}

// -----
nibble.kernel @k params [] sizes [M, N multiple_of 8, K multiple_of 8, G] grid [M by 8, N by 64]
    (%x: !nibble.matrix<M x K x f16>, %q: !nibble.matrix<K * 4 / 32 x N x i32>,
     %z: !nibble.matrix<G x N * 4 / 32 x i32>, %s: !nibble.matrix<G x N x f16>, %y: !nibble.matrix<M x N x f16>)
    attributes {nibble.packed = 128 : i64} {
  %pid = nibble.program_id
  %i, %j = nibble.tile_order %pid
  %first = arith.constant 0 : index
  %step = arith.constant 1 : index
  %steps = nibble.tile_count K by 384
  %zero = nibble.splat 0.0 : !nibble.tile<8 x 64 x f32>
  %sum = scf.for %c = %first to %steps step %step iter_args(%acc = %zero) -> (!nibble.tile<8 x 64 x f32>) {
    %a = nibble.load %x[%i, %c] : !nibble.matrix<M x K x f16> -> !nibble.tile<8 x 384 x f16>
    %w = nibble.load %q[%c, %j] : !nibble.matrix<K * 4 / 32 x N x i32> -> !nibble.tile<48 x 64 x i32>
    %u = nibble.unpack %w along 0 : !nibble.tile<48 x 64 x i32> -> !nibble.tile<384 x 64 x !nibble.code<4>>
    %g = nibble.row_group %c of K by 128 : !nibble.tile<384 x i32>
    %h = nibble.row_group %c of K by 64 : !nibble.tile<384 x i32>
    %sc = nibble.gather %s[%g, %j] : !nibble.matrix<G x N x f16>, !nibble.tile<384 x i32> -> !nibble.tile<384 x 64 x f16>
    %zw = nibble.gather %z[%g, %j] : !nibble.matrix<G x N * 4 / 32 x i32>, !nibble.tile<384 x i32> -> !nibble.tile<384 x 8 x i32>
    %zu = nibble.unpack %zw along 1 : !nibble.tile<384 x 8 x i32> -> !nibble.tile<384 x 64 x !nibble.code<4>>
    %d = nibble.dequantize %u, zero %zu, scale %sc : !nibble.tile<384 x 64 x !nibble.code<4>>, !nibble.tile<384 x 64 x f16> -> !nibble.tile<384 x 64 x f16>
    // expected-error @below {{the schedule mma_packed refuses this kernel: nibble.dot has 384 steps over K, which 4 warps cannot divide into parts of 128}}
    %next = nibble.dot %a, %d, %acc : !nibble.tile<8 x 384 x f16>, !nibble.tile<384 x 64 x f16> -> !nibble.tile<8 x 64 x f32>
    scf.yield %next : !nibble.tile<8 x 64 x f32>
  }
  %out = nibble.round %sum : !nibble.tile<8 x 64 x f32> -> !nibble.tile<8 x 64 x f16>
  nibble.store %out, %y[%i, %j] : !nibble.tile<8 x 64 x f16>, !nibble.matrix<M x N x f16>
}

// -----
nibble.kernel @k params [] sizes [M, N multiple_of 8, K multiple_of 8, G] grid [M by 8, N by 48]
    (%x: !nibble.matrix<M x K x f16>, %q: !nibble.matrix<K * 4 / 32 x N x i32>,
     %z: !nibble.matrix<G x N * 4 / 32 x i32>, %s: !nibble.matrix<G x N x f16>, %y: !nibble.matrix<M x N x f16>)
    attributes {nibble.packed = 128 : i64} {
  %pid = nibble.program_id
  %i, %j = nibble.tile_order %pid
  %first = arith.constant 0 : index
  %step = arith.constant 1 : index
  %steps = nibble.tile_count K by 128
  %zero = nibble.splat 0.0 : !nibble.tile<8 x 48 x f32>
  %sum = scf.for %c = %first to %steps step %step iter_args(%acc = %zero) -> (!nibble.tile<8 x 48 x f32>) {
    %a = nibble.load %x[%i, %c] : !nibble.matrix<M x K x f16> -> !nibble.tile<8 x 128 x f16>
    %w = nibble.load %q[%c, %j] : !nibble.matrix<K * 4 / 32 x N x i32> -> !nibble.tile<16 x 48 x i32>
    %u = nibble.unpack %w along 0 : !nibble.tile<16 x 48 x i32> -> !nibble.tile<128 x 48 x !nibble.code<4>>
    %g = nibble.row_group %c of K by 128 : !nibble.tile<128 x i32>
    %h = nibble.row_group %c of K by 64 : !nibble.tile<128 x i32>
    %sc = nibble.gather %s[%g, %j] : !nibble.matrix<G x N x f16>, !nibble.tile<128 x i32> -> !nibble.tile<128 x 48 x f16>
    %zw = nibble.gather %z[%g, %j] : !nibble.matrix<G x N * 4 / 32 x i32>, !nibble.tile<128 x i32> -> !nibble.tile<128 x 6 x i32>
    %zu = nibble.unpack %zw along 1 : !nibble.tile<128 x 6 x i32> -> !nibble.tile<128 x 48 x !nibble.code<4>>
    %d = nibble.dequantize %u, zero %zu, scale %sc : !nibble.tile<128 x 48 x !nibble.code<4>>, !nibble.tile<128 x 48 x f16> -> !nibble.tile<128 x 48 x f16>
    // expected-error @below {{the schedule mma_packed refuses this kernel: nibble.dot has 48 columns, which 4 warps cannot divide into tiles of 16}}
    %next = nibble.dot %a, %d, %acc : !nibble.tile<8 x 128 x f16>, !nibble.tile<128 x 48 x f16> -> !nibble.tile<8 x 48 x f32>
    scf.yield %next : !nibble.tile<8 x 48 x f32>
  }
  %out = nibble.round %sum : !nibble.tile<8 x 48 x f32> -> !nibble.tile<8 x 48 x f16>
  nibble.store %out, %y[%i, %j] : !nibble.tile<8 x 48 x f16>, !nibble.matrix<M x N x f16>
}

// -----
nibble.kernel @k params [] sizes [M, N multiple_of 8, K multiple_of 8, G] grid [M by 32, N by 384]
    (%x: !nibble.matrix<M x K x f16>, %q: !nibble.matrix<K * 4 / 32 x N x i32>,
     %z: !nibble.matrix<G x N * 4 / 32 x i32>, %s: !nibble.matrix<G x N x f16>, %y: !nibble.matrix<M x N x f16>)
    attributes {nibble.packed = 128 : i64} {
  %pid = nibble.program_id
  %i, %j = nibble.tile_order %pid
  %first = arith.constant 0 : index
  %step = arith.constant 1 : index
  %steps = nibble.tile_count K by 128
  %zero = nibble.splat 0.0 : !nibble.tile<32 x 384 x f32>
  %sum = scf.for %c = %first to %steps step %step iter_args(%acc = %zero) -> (!nibble.tile<32 x 384 x f32>) {
    %a = nibble.load %x[%i, %c] : !nibble.matrix<M x K x f16> -> !nibble.tile<32 x 128 x f16>
    %w = nibble.load %q[%c, %j] : !nibble.matrix<K * 4 / 32 x N x i32> -> !nibble.tile<16 x 384 x i32>
    %u = nibble.unpack %w along 0 : !nibble.tile<16 x 384 x i32> -> !nibble.tile<128 x 384 x !nibble.code<4>>
    %g = nibble.row_group %c of K by 128 : !nibble.tile<128 x i32>
    %h = nibble.row_group %c of K by 64 : !nibble.tile<128 x i32>
    %sc = nibble.gather %s[%g, %j] : !nibble.matrix<G x N x f16>, !nibble.tile<128 x i32> -> !nibble.tile<128 x 384 x f16>
    %zw = nibble.gather %z[%g, %j] : !nibble.matrix<G x N * 4 / 32 x i32>, !nibble.tile<128 x i32> -> !nibble.tile<128 x 48 x i32>
    %zu = nibble.unpack %zw along 1 : !nibble.tile<128 x 48 x i32> -> !nibble.tile<128 x 384 x !nibble.code<4>>
    %d = nibble.dequantize %u, zero %zu, scale %sc : !nibble.tile<128 x 384 x !nibble.code<4>>, !nibble.tile<128 x 384 x f16> -> !nibble.tile<128 x 384 x f16>
    // expected-error @below {{the schedule mma_packed refuses this kernel: nibble.dot keeps 268 registers a thread, more than the 231 of 128 threads}}
    %next = nibble.dot %a, %d, %acc : !nibble.tile<32 x 128 x f16>, !nibble.tile<128 x 384 x f16> -> !nibble.tile<32 x 384 x f32>
    scf.yield %next : !nibble.tile<32 x 384 x f32>
  }
  %out = nibble.round %sum : !nibble.tile<32 x 384 x f32> -> !nibble.tile<32 x 384 x f16>
  nibble.store %out, %y[%i, %j] : !nibble.tile<32 x 384 x f16>, !nibble.matrix<M x N x f16>
}

// -----
nibble.kernel @k params [] sizes [M, N multiple_of 8, K multiple_of 8, G] grid [M by 64, N by 64]
    (%x: !nibble.matrix<M x K x f16>, %q: !nibble.matrix<K * 4 / 32 x N x i32>,
     %z: !nibble.matrix<G x N * 4 / 32 x i32>, %s: !nibble.matrix<G x N x f16>, %y: !nibble.matrix<M x N x f16>)
    attributes {nibble.packed = 128 : i64} {
  %pid = nibble.program_id
  %i, %j = nibble.tile_order %pid
  %first = arith.constant 0 : index
  %step = arith.constant 1 : index
  %steps = nibble.tile_count K by 256
  %zero = nibble.splat 0.0 : !nibble.tile<64 x 64 x f32>
  %sum = scf.for %c = %first to %steps step %step iter_args(%acc = %zero) -> (!nibble.tile<64 x 64 x f32>) {
    %a = nibble.load %x[%i, %c] : !nibble.matrix<M x K x f16> -> !nibble.tile<64 x 256 x f16>
    %w = nibble.load %q[%c, %j] : !nibble.matrix<K * 4 / 32 x N x i32> -> !nibble.tile<32 x 64 x i32>
    %u = nibble.unpack %w along 0 : !nibble.tile<32 x 64 x i32> -> !nibble.tile<256 x 64 x !nibble.code<4>>
    %g = nibble.row_group %c of K by 128 : !nibble.tile<256 x i32>
    %h = nibble.row_group %c of K by 64 : !nibble.tile<256 x i32>
    %sc = nibble.gather %s[%g, %j] : !nibble.matrix<G x N x f16>, !nibble.tile<256 x i32> -> !nibble.tile<256 x 64 x f16>
    %zw = nibble.gather %z[%g, %j] : !nibble.matrix<G x N * 4 / 32 x i32>, !nibble.tile<256 x i32> -> !nibble.tile<256 x 8 x i32>
    %zu = nibble.unpack %zw along 1 : !nibble.tile<256 x 8 x i32> -> !nibble.tile<256 x 64 x !nibble.code<4>>
    %d = nibble.dequantize %u, zero %zu, scale %sc : !nibble.tile<256 x 64 x !nibble.code<4>>, !nibble.tile<256 x 64 x f16> -> !nibble.tile<256 x 64 x f16>
    // expected-error @below {{the schedule mma_packed refuses this kernel: nibble.dot needs 98304 bytes of shared memory, more than 65536}}
    %next = nibble.dot %a, %d, %acc : !nibble.tile<64 x 256 x f16>, !nibble.tile<256 x 64 x f16> -> !nibble.tile<64 x 64 x f32>
    scf.yield %next : !nibble.tile<64 x 64 x f32>
  }
  %out = nibble.round %sum : !nibble.tile<64 x 64 x f32> -> !nibble.tile<64 x 64 x f16>
  nibble.store %out, %y[%i, %j] : !nibble.tile<64 x 64 x f16>, !nibble.matrix<M x N x f16>
}

// -----
nibble.kernel @k params [] sizes [M, N multiple_of 8, K multiple_of 8, G] grid [M by 8, N by 64]
    (%x: !nibble.matrix<M x K x f16>, %q: !nibble.matrix<K * 4 / 32 x N x i32>,
     %z: !nibble.matrix<G x N * 4 / 32 x i32>, %s: !nibble.matrix<G x N x f16>, %y: !nibble.matrix<M x N x f16>)
    attributes {nibble.packed = 128 : i64} {
  %pid = nibble.program_id
  %i, %j = nibble.tile_order %pid
  %first = arith.constant 0 : index
  %step = arith.constant 1 : index
  %steps = nibble.tile_count K by 128
  %zero = nibble.splat 0.0 : !nibble.tile<8 x 64 x f32>
  %sum = scf.for %c = %first to %steps step %step iter_args(%acc = %zero) -> (!nibble.tile<8 x 64 x f32>) {
    // expected-error @below {{the schedule mma_packed refuses this kernel: nibble.load reads another tile than the loop's and the store's}}
    %a = nibble.load %x[%j, %c] : !nibble.matrix<M x K x f16> -> !nibble.tile<8 x 128 x f16>
    %w = nibble.load %q[%c, %j] : !nibble.matrix<K * 4 / 32 x N x i32> -> !nibble.tile<16 x 64 x i32>
    %u = nibble.unpack %w along 0 : !nibble.tile<16 x 64 x i32> -> !nibble.tile<128 x 64 x !nibble.code<4>>
    %g = nibble.row_group %c of K by 128 : !nibble.tile<128 x i32>
    %h = nibble.row_group %c of K by 64 : !nibble.tile<128 x i32>
    %sc = nibble.gather %s[%g, %j] : !nibble.matrix<G x N x f16>, !nibble.tile<128 x i32> -> !nibble.tile<128 x 64 x f16>
    %zw = nibble.gather %z[%g, %j] : !nibble.matrix<G x N * 4 / 32 x i32>, !nibble.tile<128 x i32> -> !nibble.tile<128 x 8 x i32>
    %zu = nibble.unpack %zw along 1 : !nibble.tile<128 x 8 x i32> -> !nibble.tile<128 x 64 x !nibble.code<4>>
    %d = nibble.dequantize %u, zero %zu, scale %sc : !nibble.tile<128 x 64 x !nibble.code<4>>, !nibble.tile<128 x 64 x f16> -> !nibble.tile<128 x 64 x f16>
    %next = nibble.dot %a, %d, %acc : !nibble.tile<8 x 128 x f16>, !nibble.tile<128 x 64 x f16> -> !nibble.tile<8 x 64 x f32>
    scf.yield %next : !nibble.tile<8 x 64 x f32>
  }
  %out = nibble.round %sum : !nibble.tile<8 x 64 x f32> -> !nibble.tile<8 x 64 x f16>
  nibble.store %out, %y[%i, %j] : !nibble.tile<8 x 64 x f16>, !nibble.matrix<M x N x f16>
}

// -----
nibble.kernel @k params [] sizes [M, N multiple_of 8, K multiple_of 8, G] grid [M by 8, N by 64]
    (%x: !nibble.matrix<M x K x f16>, %q: !nibble.matrix<K * 4 / 32 x N x i32>,
     %z: !nibble.matrix<G x N * 4 / 32 x i32>, %s: !nibble.matrix<G x N x f16>, %y: !nibble.matrix<M x N x f16>)
    attributes {nibble.packed = 128 : i64} {
  %pid = nibble.program_id
  %i, %j = nibble.tile_order %pid
  %first = arith.constant 0 : index
  %step = arith.constant 1 : index
  %steps = nibble.tile_count K by 128
  %zero = nibble.splat 0.0 : !nibble.tile<8 x 64 x f32>
  %sum = scf.for %c = %first to %steps step %step iter_args(%acc = %zero) -> (!nibble.tile<8 x 64 x f32>) {
    %a = nibble.load %x[%i, %c] : !nibble.matrix<M x K x f16> -> !nibble.tile<8 x 128 x f16>
    // expected-error @below {{the schedule mma_packed refuses this kernel: nibble.load reads another tile than the loop's and the store's}}
    %w = nibble.load %q[%i, %j] : !nibble.matrix<K * 4 / 32 x N x i32> -> !nibble.tile<16 x 64 x i32>
    %u = nibble.unpack %w along 0 : !nibble.tile<16 x 64 x i32> -> !nibble.tile<128 x 64 x !nibble.code<4>>
    %g = nibble.row_group %c of K by 128 : !nibble.tile<128 x i32>
    %h = nibble.row_group %c of K by 64 : !nibble.tile<128 x i32>
    %sc = nibble.gather %s[%g, %j] : !nibble.matrix<G x N x f16>, !nibble.tile<128 x i32> -> !nibble.tile<128 x 64 x f16>
    %zw = nibble.gather %z[%g, %j] : !nibble.matrix<G x N * 4 / 32 x i32>, !nibble.tile<128 x i32> -> !nibble.tile<128 x 8 x i32>
    %zu = nibble.unpack %zw along 1 : !nibble.tile<128 x 8 x i32> -> !nibble.tile<128 x 64 x !nibble.code<4>>
    %d = nibble.dequantize %u, zero %zu, scale %sc : !nibble.tile<128 x 64 x !nibble.code<4>>, !nibble.tile<128 x 64 x f16> -> !nibble.tile<128 x 64 x f16>
    %next = nibble.dot %a, %d, %acc : !nibble.tile<8 x 128 x f16>, !nibble.tile<128 x 64 x f16> -> !nibble.tile<8 x 64 x f32>
    scf.yield %next : !nibble.tile<8 x 64 x f32>
  }
  %out = nibble.round %sum : !nibble.tile<8 x 64 x f32> -> !nibble.tile<8 x 64 x f16>
  nibble.store %out, %y[%i, %j] : !nibble.tile<8 x 64 x f16>, !nibble.matrix<M x N x f16>
}

// -----
nibble.kernel @k params [] sizes [M, N multiple_of 8, K multiple_of 8, G] grid [M by 8, N by 64]
    (%x: !nibble.matrix<M x K x f16>, %q: !nibble.matrix<K * 4 / 32 x N x i32>,
     %z: !nibble.matrix<G x N * 4 / 32 x i32>, %s: !nibble.matrix<G x N x f16>, %y: !nibble.matrix<M x N x f16>)
    attributes {nibble.packed = 128 : i64} {
  %pid = nibble.program_id
  %i, %j = nibble.tile_order %pid
  %first = arith.constant 0 : index
  %step = arith.constant 1 : index
  %steps = nibble.tile_count K by 128
  %zero = nibble.splat 0.0 : !nibble.tile<8 x 64 x f32>
  %sum = scf.for %c = %first to %steps step %step iter_args(%acc = %zero) -> (!nibble.tile<8 x 64 x f32>) {
    %a = nibble.load %x[%i, %c] : !nibble.matrix<M x K x f16> -> !nibble.tile<8 x 128 x f16>
    %w = nibble.load %q[%c, %j] : !nibble.matrix<K * 4 / 32 x N x i32> -> !nibble.tile<16 x 64 x i32>
    %u = nibble.unpack %w along 0 : !nibble.tile<16 x 64 x i32> -> !nibble.tile<128 x 64 x !nibble.code<4>>
    %g = nibble.row_group %c of K by 128 : !nibble.tile<128 x i32>
    %h = nibble.row_group %c of K by 64 : !nibble.tile<128 x i32>
    %sc = nibble.gather %s[%g, %j] : !nibble.matrix<G x N x f16>, !nibble.tile<128 x i32> -> !nibble.tile<128 x 64 x f16>
    %zw = nibble.gather %z[%h, %j] : !nibble.matrix<G x N * 4 / 32 x i32>, !nibble.tile<128 x i32> -> !nibble.tile<128 x 8 x i32>
    %zu = nibble.unpack %zw along 1 : !nibble.tile<128 x 8 x i32> -> !nibble.tile<128 x 64 x !nibble.code<4>>
    // expected-error @below {{the schedule mma_packed refuses this kernel: nibble.dequantize takes scales and zero points that are not gathered by the same rows}}
    %d = nibble.dequantize %u, zero %zu, scale %sc : !nibble.tile<128 x 64 x !nibble.code<4>>, !nibble.tile<128 x 64 x f16> -> !nibble.tile<128 x 64 x f16>
    %next = nibble.dot %a, %d, %acc : !nibble.tile<8 x 128 x f16>, !nibble.tile<128 x 64 x f16> -> !nibble.tile<8 x 64 x f32>
    scf.yield %next : !nibble.tile<8 x 64 x f32>
  }
  %out = nibble.round %sum : !nibble.tile<8 x 64 x f32> -> !nibble.tile<8 x 64 x f16>
  nibble.store %out, %y[%i, %j] : !nibble.tile<8 x 64 x f16>, !nibble.matrix<M x N x f16>
}

// -----
nibble.kernel @k params [] sizes [M, N multiple_of 8, K multiple_of 8, G] grid [M by 8, N by 64]
    (%x: !nibble.matrix<M x K x f16>, %q: !nibble.matrix<K * 4 / 32 x N x i32>,
     %z: !nibble.matrix<G x N * 4 / 32 x i32>, %s: !nibble.matrix<G x N x f16>, %y: !nibble.matrix<M x N x f16>)
    attributes {nibble.packed = 128 : i64} {
  %pid = nibble.program_id
  %i, %j = nibble.tile_order %pid
  %first = arith.constant 0 : index
  %step = arith.constant 1 : index
  %steps = nibble.tile_count K by 128
  %zero = nibble.splat 0.0 : !nibble.tile<8 x 64 x f32>
  %sum = scf.for %c = %first to %steps step %step iter_args(%acc = %zero) -> (!nibble.tile<8 x 64 x f32>) {
    %a = nibble.load %x[%i, %c] : !nibble.matrix<M x K x f16> -> !nibble.tile<8 x 128 x f16>
    %w = nibble.load %q[%c, %j] : !nibble.matrix<K * 4 / 32 x N x i32> -> !nibble.tile<16 x 64 x i32>
    %u = nibble.unpack %w along 0 : !nibble.tile<16 x 64 x i32> -> !nibble.tile<128 x 64 x !nibble.code<4>>
    %g = nibble.row_group %c of K by 128 : !nibble.tile<128 x i32>
    %h = nibble.row_group %c of K by 64 : !nibble.tile<128 x i32>
    %sc = nibble.gather %s[%g, %j] : !nibble.matrix<G x N x f16>, !nibble.tile<128 x i32> -> !nibble.tile<128 x 64 x f16>
    %zw = nibble.gather %z[%g, %j] : !nibble.matrix<G x N * 4 / 32 x i32>, !nibble.tile<128 x i32> -> !nibble.tile<128 x 8 x i32>
    %zu = nibble.unpack %zw along 1 : !nibble.tile<128 x 8 x i32> -> !nibble.tile<128 x 64 x !nibble.code<4>>
    // expected-error @below {{the schedule mma_packed refuses this kernel: nibble.dequantize takes scales and zero points that are not gathered by the same rows}}
    %d = nibble.dequantize %u, zero %u, scale %sc : !nibble.tile<128 x 64 x !nibble.code<4>>, !nibble.tile<128 x 64 x f16> -> !nibble.tile<128 x 64 x f16>
    %next = nibble.dot %a, %d, %acc : !nibble.tile<8 x 128 x f16>, !nibble.tile<128 x 64 x f16> -> !nibble.tile<8 x 64 x f32>
    scf.yield %next : !nibble.tile<8 x 64 x f32>
  }
  %out = nibble.round %sum : !nibble.tile<8 x 64 x f32> -> !nibble.tile<8 x 64 x f16>
  nibble.store %out, %y[%i, %j] : !nibble.tile<8 x 64 x f16>, !nibble.matrix<M x N x f16>
}

// -----
// expected-error @below {{the schedule mma_packed refuses this kernel: nibble.kernel is not specialised for packed weights}}
nibble.kernel @k params [] sizes [M] grid [M by 8] (%x: !nibble.matrix<M x f16>) {
}

// -----
nibble.kernel @k params [] sizes [M, N multiple_of 8, K multiple_of 8, G] grid [M by 8, N by 64]
    (%x: !nibble.matrix<M x K x f16>, %q: !nibble.matrix<K * 4 / 32 x N x i32>,
     %z: !nibble.matrix<G x N * 4 / 32 x i32>, %s: !nibble.matrix<G x N x f32>, %y: !nibble.matrix<M x N x f16>)
    attributes {nibble.packed = 128 : i64} {
  %pid = nibble.program_id
  %i, %j = nibble.tile_order %pid
  %first = arith.constant 0 : index
  %step = arith.constant 1 : index
  %steps = nibble.tile_count K by 128
  %zero = nibble.splat 0.0 : !nibble.tile<8 x 64 x f32>
  %sum = scf.for %c = %first to %steps step %step iter_args(%acc = %zero) -> (!nibble.tile<8 x 64 x f32>) {
    %a = nibble.load %x[%i, %c] : !nibble.matrix<M x K x f16> -> !nibble.tile<8 x 128 x f16>
    %w = nibble.load %q[%c, %j] : !nibble.matrix<K * 4 / 32 x N x i32> -> !nibble.tile<16 x 64 x i32>
    %u = nibble.unpack %w along 0 : !nibble.tile<16 x 64 x i32> -> !nibble.tile<128 x 64 x !nibble.code<4>>
    %g = nibble.row_group %c of K by 128 : !nibble.tile<128 x i32>
    %h = nibble.row_group %c of K by 64 : !nibble.tile<128 x i32>
    // expected-error @below {{the schedule mma_packed refuses this kernel: nibble.gather reads scales that are not f16, which the packed order has not}}
    %sc = nibble.gather %s[%g, %j] : !nibble.matrix<G x N x f32>, !nibble.tile<128 x i32> -> !nibble.tile<128 x 64 x f32>
    %zw = nibble.gather %z[%g, %j] : !nibble.matrix<G x N * 4 / 32 x i32>, !nibble.tile<128 x i32> -> !nibble.tile<128 x 8 x i32>
    %zu = nibble.unpack %zw along 1 : !nibble.tile<128 x 8 x i32> -> !nibble.tile<128 x 64 x !nibble.code<4>>
    %d = nibble.dequantize %u, zero %zu, scale %sc : !nibble.tile<128 x 64 x !nibble.code<4>>, !nibble.tile<128 x 64 x f32> -> !nibble.tile<128 x 64 x f16>
    %next = nibble.dot %a, %d, %acc : !nibble.tile<8 x 128 x f16>, !nibble.tile<128 x 64 x f16> -> !nibble.tile<8 x 64 x f32>
    scf.yield %next : !nibble.tile<8 x 64 x f32>
  }
  %out = nibble.round %sum : !nibble.tile<8 x 64 x f32> -> !nibble.tile<8 x 64 x f16>
  nibble.store %out, %y[%i, %j] : !nibble.tile<8 x 64 x f16>, !nibble.matrix<M x N x f16>
}
