// RUN: nibble-opt %s --split-input-file --verify-diagnostics --nibble-schedule-mma="warps=4 shared-bytes=65536"
// What the schedule mma refuses, with the operation that stands in the way.

nibble.kernel @k params [] sizes [M, N, K] grid [M by 8, N by 64]
    (%a: !nibble.matrix<M x K x f16>, %b: !nibble.matrix<K x N x f16>, %y: !nibble.matrix<M x N x f32>) {
  %pid = nibble.program_id
  %i, %j = nibble.tile_order %pid
  %first = arith.constant 0 : index
  %step = arith.constant 1 : index
  %steps = nibble.tile_count K by 16
  %zero = nibble.splat 0.0 : !nibble.tile<8 x 64 x f32>
  %sum = scf.for %k = %first to %steps step %step iter_args(%acc = %zero) -> (!nibble.tile<8 x 64 x f32>) {
    %l = nibble.load %a[%i, %k] : !nibble.matrix<M x K x f16> -> !nibble.tile<8 x 16 x f16>
    %r = nibble.load %b[%k, %j] : !nibble.matrix<K x N x f16> -> !nibble.tile<16 x 64 x f16>
    // expected-error @below {{the schedule mma refuses this kernel: nibble.dot has 8 rows, not a multiple of 16}}
    %next = nibble.dot %l, %r, %acc : !nibble.tile<8 x 16 x f16>, !nibble.tile<16 x 64 x f16> -> !nibble.tile<8 x 64 x f32>
    scf.yield %next : !nibble.tile<8 x 64 x f32>
  }
  nibble.store %sum, %y[%i, %j] : !nibble.tile<8 x 64 x f32>, !nibble.matrix<M x N x f32>
}

// -----
nibble.kernel @k params [] sizes [M, N, K] grid [M by 16, N by 24]
    (%a: !nibble.matrix<M x K x f16>, %b: !nibble.matrix<K x N x f16>, %y: !nibble.matrix<M x N x f32>) {
  %pid = nibble.program_id
  %i, %j = nibble.tile_order %pid
  %first = arith.constant 0 : index
  %step = arith.constant 1 : index
  %steps = nibble.tile_count K by 16
  %zero = nibble.splat 0.0 : !nibble.tile<16 x 24 x f32>
  %sum = scf.for %k = %first to %steps step %step iter_args(%acc = %zero) -> (!nibble.tile<16 x 24 x f32>) {
    %l = nibble.load %a[%i, %k] : !nibble.matrix<M x K x f16> -> !nibble.tile<16 x 16 x f16>
    %r = nibble.load %b[%k, %j] : !nibble.matrix<K x N x f16> -> !nibble.tile<16 x 24 x f16>
    // expected-error @below {{the schedule mma refuses this kernel: nibble.dot has 24 columns, not a multiple of 16}}
    %next = nibble.dot %l, %r, %acc : !nibble.tile<16 x 16 x f16>, !nibble.tile<16 x 24 x f16> -> !nibble.tile<16 x 24 x f32>
    scf.yield %next : !nibble.tile<16 x 24 x f32>
  }
  nibble.store %sum, %y[%i, %j] : !nibble.tile<16 x 24 x f32>, !nibble.matrix<M x N x f32>
}

// -----
nibble.kernel @k params [] sizes [M, N, K] grid [M by 16, N by 64]
    (%a: !nibble.matrix<M x K x f16>, %b: !nibble.matrix<K x N x f16>, %y: !nibble.matrix<M x N x f32>) {
  %pid = nibble.program_id
  %i, %j = nibble.tile_order %pid
  %first = arith.constant 0 : index
  %step = arith.constant 1 : index
  %steps = nibble.tile_count K by 24
  %zero = nibble.splat 0.0 : !nibble.tile<16 x 64 x f32>
  %sum = scf.for %k = %first to %steps step %step iter_args(%acc = %zero) -> (!nibble.tile<16 x 64 x f32>) {
    %l = nibble.load %a[%i, %k] : !nibble.matrix<M x K x f16> -> !nibble.tile<16 x 24 x f16>
    %r = nibble.load %b[%k, %j] : !nibble.matrix<K x N x f16> -> !nibble.tile<24 x 64 x f16>
    // expected-error @below {{the schedule mma refuses this kernel: nibble.dot has 24 steps over K, not a multiple of 16}}
    %next = nibble.dot %l, %r, %acc : !nibble.tile<16 x 24 x f16>, !nibble.tile<24 x 64 x f16> -> !nibble.tile<16 x 64 x f32>
    scf.yield %next : !nibble.tile<16 x 64 x f32>
  }
  nibble.store %sum, %y[%i, %j] : !nibble.tile<16 x 64 x f32>, !nibble.matrix<M x N x f32>
}

// -----
nibble.kernel @k params [] sizes [M, N, K] grid [M by 16, N by 16]
    (%a: !nibble.matrix<M x K x f16>, %b: !nibble.matrix<K x N x f16>, %y: !nibble.matrix<M x N x f32>) {
  %pid = nibble.program_id
  %i, %j = nibble.tile_order %pid
  %first = arith.constant 0 : index
  %step = arith.constant 1 : index
  %steps = nibble.tile_count K by 16
  %zero = nibble.splat 0.0 : !nibble.tile<16 x 16 x f32>
  %sum = scf.for %k = %first to %steps step %step iter_args(%acc = %zero) -> (!nibble.tile<16 x 16 x f32>) {
    %l = nibble.load %a[%i, %k] : !nibble.matrix<M x K x f16> -> !nibble.tile<16 x 16 x f16>
    %r = nibble.load %b[%k, %j] : !nibble.matrix<K x N x f16> -> !nibble.tile<16 x 16 x f16>
    // expected-error @below {{the schedule mma refuses this kernel: nibble.dot gives 16 x 16, which 4 warps cannot divide into parts of multiples of 16}}
    %next = nibble.dot %l, %r, %acc : !nibble.tile<16 x 16 x f16>, !nibble.tile<16 x 16 x f16> -> !nibble.tile<16 x 16 x f32>
    scf.yield %next : !nibble.tile<16 x 16 x f32>
  }
  nibble.store %sum, %y[%i, %j] : !nibble.tile<16 x 16 x f32>, !nibble.matrix<M x N x f32>
}

// -----
nibble.kernel @k params [] sizes [M, N, K] grid [M by 256, N by 128]
    (%a: !nibble.matrix<M x K x f16>, %b: !nibble.matrix<K x N x f16>, %y: !nibble.matrix<M x N x f32>) {
  %pid = nibble.program_id
  %i, %j = nibble.tile_order %pid
  %first = arith.constant 0 : index
  %step = arith.constant 1 : index
  %steps = nibble.tile_count K by 16
  %zero = nibble.splat 0.0 : !nibble.tile<256 x 128 x f32>
  %sum = scf.for %k = %first to %steps step %step iter_args(%acc = %zero) -> (!nibble.tile<256 x 128 x f32>) {
    %l = nibble.load %a[%i, %k] : !nibble.matrix<M x K x f16> -> !nibble.tile<256 x 16 x f16>
    %r = nibble.load %b[%k, %j] : !nibble.matrix<K x N x f16> -> !nibble.tile<16 x 128 x f16>
    // expected-error @below {{the schedule mma refuses this kernel: nibble.dot gives 256 accumulators a thread, more than 160}}
    %next = nibble.dot %l, %r, %acc : !nibble.tile<256 x 16 x f16>, !nibble.tile<16 x 128 x f16> -> !nibble.tile<256 x 128 x f32>
    scf.yield %next : !nibble.tile<256 x 128 x f32>
  }
  nibble.store %sum, %y[%i, %j] : !nibble.tile<256 x 128 x f32>, !nibble.matrix<M x N x f32>
}

// -----
nibble.kernel @k params [] sizes [M, N, K] grid [M by 64, N by 64]
    (%a: !nibble.matrix<M x K x f16>, %b: !nibble.matrix<K x N x f16>, %y: !nibble.matrix<M x N x f32>) {
  %pid = nibble.program_id
  %i, %j = nibble.tile_order %pid
  %first = arith.constant 0 : index
  %step = arith.constant 1 : index
  %steps = nibble.tile_count K by 256
  %zero = nibble.splat 0.0 : !nibble.tile<64 x 64 x f32>
  %sum = scf.for %k = %first to %steps step %step iter_args(%acc = %zero) -> (!nibble.tile<64 x 64 x f32>) {
    %l = nibble.load %a[%i, %k] : !nibble.matrix<M x K x f16> -> !nibble.tile<64 x 256 x f16>
    %r = nibble.load %b[%k, %j] : !nibble.matrix<K x N x f16> -> !nibble.tile<256 x 64 x f16>
    // expected-error @below {{the schedule mma refuses this kernel: nibble.dot needs 141312 bytes of shared memory, more than 65536}}
    %next = nibble.dot %l, %r, %acc : !nibble.tile<64 x 256 x f16>, !nibble.tile<256 x 64 x f16> -> !nibble.tile<64 x 64 x f32>
    scf.yield %next : !nibble.tile<64 x 64 x f32>
  }
  nibble.store %sum, %y[%i, %j] : !nibble.tile<64 x 64 x f32>, !nibble.matrix<M x N x f32>
}

// -----
// expected-error @below {{the schedule mma refuses this kernel: nibble.kernel has 0 stores; the schedule takes one}}
nibble.kernel @k params [] sizes [N] grid [N by 8] (%x: !nibble.matrix<N x f16>) {
}

// -----
nibble.kernel @k params [] sizes [N] grid [N by 8] (%x: !nibble.matrix<N x f16>, %y: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  %t = nibble.load %x[%i] : !nibble.matrix<N x f16> -> !nibble.tile<8 x f16>
  // expected-error @below {{the schedule mma refuses this kernel: nibble.store stores a tile of one extent}}
  nibble.store %t, %y[%i] : !nibble.tile<8 x f16>, !nibble.matrix<N x f16>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 16, N by 16] (%x: !nibble.matrix<M x N x f16>, %y: !nibble.matrix<M x N x f16>) {
  %p = nibble.program_id
  %i, %j = nibble.tile_order %p
  %t = nibble.load %x[%i, %j] : !nibble.matrix<M x N x f16> -> !nibble.tile<16 x 16 x f16>
  // expected-error @below {{the schedule mma refuses this kernel: nibble.store stores what no loop over a product computes}}
  nibble.store %t, %y[%i, %j] : !nibble.tile<16 x 16 x f16>, !nibble.matrix<M x N x f16>
}

// -----
nibble.kernel @k params [] sizes [M, N] grid [M by 16, N by 16] (%x: !nibble.matrix<M x N x f16>, %w: !nibble.matrix<M x N x i32>, %y: !nibble.matrix<M x 8 * N x f16>) {
  %p = nibble.program_id
  %i, %j = nibble.tile_order %p
  %t = nibble.load %w[%i, %j] : !nibble.matrix<M x N x i32> -> !nibble.tile<16 x 16 x i32>
  %q = nibble.unpack %t along 1 : !nibble.tile<16 x 16 x i32> -> !nibble.tile<16 x 128 x !nibble.code<4>>
  %s = nibble.splat 1.0 : !nibble.tile<16 x 128 x f16>
  // expected-error @below {{the schedule mma refuses this kernel: nibble.dequantize stands between the product and the store}}
  %d = nibble.dequantize %q, zero %q, scale %s : !nibble.tile<16 x 128 x !nibble.code<4>>, !nibble.tile<16 x 128 x f16> -> !nibble.tile<16 x 128 x f16>
  nibble.store %d, %y[%i, %j] : !nibble.tile<16 x 128 x f16>, !nibble.matrix<M x 8 * N x f16>
}
