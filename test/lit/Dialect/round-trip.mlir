// RUN: nibble-opt %s | nibble-opt | FileCheck %s
// Every operation, type and attribute of the dialect, printed and parsed again.

// CHECK-LABEL: nibble.kernel @everything
// CHECK-NEXT: params [B one_of [2, 3, 4, 8], R, C multiple_of 32 / B, FLAG one_of [0, 1]]
// CHECK-NEXT: types [T one_of [f16, bf16]]
// CHECK-NEXT: sizes [M, N multiple_of 32 / B, G]
// CHECK-NEXT: grid [M by R, N by C]
// CHECK-NEXT: (%x: !nibble.matrix<M x N x T, strided>, %words: !nibble.matrix<M x B * N / 32 x i32>,
nibble.kernel @everything
    params [B one_of [2, 3, 4, 8], R, C multiple_of 32 / B, FLAG one_of [0, 1]]
    types [T one_of [f16, bf16]]
    sizes [M, N multiple_of 32 / B, G]
    grid [M by R, N by C]
    (%x: !nibble.matrix<M x N x T, strided>,
     %words: !nibble.matrix<M x N * B / 32 x i32>,
     %scales: !nibble.matrix<G x N x f16>,
     %rows: !nibble.matrix<M x i32>,
     %y: !nibble.matrix<M x N x f32>,
     %packed: !nibble.matrix<M x N * B / 32 x i32>) {
  // CHECK: %[[PID:.*]] = nibble.program_id
  %pid = nibble.program_id
  // CHECK: %[[I:.*]], %[[J:.*]] = nibble.tile_order %[[PID]] group R
  %i, %j = nibble.tile_order %pid group R
  // CHECK: nibble.tile_order %[[PID]]{{$}}
  %p, %q = nibble.tile_order %pid
  // CHECK: nibble.param FLAG : i1
  %flag = nibble.param FLAG : i1
  // CHECK: nibble.param B : index
  %bits = nibble.param B : index
  // CHECK: nibble.size M
  %m = nibble.size M
  // CHECK: nibble.tile_count N by C
  %count = nibble.tile_count N by C
  // CHECK: %[[X:.*]] = nibble.load %x[%[[I]], %[[J]]] : <M x N x T, strided> -> <R x C x T>
  %a = nibble.load %x[%i, %j] : !nibble.matrix<M x N x T, strided> -> !nibble.tile<R x C x T>
  // CHECK: %[[W:.*]] = nibble.load %words[%[[I]], %[[J]]] : <M x B * N / 32 x i32> -> <R x B * C / 32 x i32>
  %w = nibble.load %words[%i, %j] : !nibble.matrix<M x N * B / 32 x i32> -> !nibble.tile<R x C * B / 32 x i32>
  // CHECK: nibble.load %rows[%[[I]]] padding -1 : <M x i32> -> <R x i32>
  %given = nibble.load %rows[%i] padding -1 : !nibble.matrix<M x i32> -> !nibble.tile<R x i32>
  // CHECK: %[[GROUP:.*]] = nibble.row_group %[[I]] of M by 128 : !nibble.tile<R x i32>
  %group = nibble.row_group %i of M by 128 : !nibble.tile<R x i32>
  // CHECK: nibble.gather %scales[%[[GROUP]], %[[J]]] : <G x N x f16>, !nibble.tile<R x i32> -> <R x C x f16>
  %s = nibble.gather %scales[%group, %j] : !nibble.matrix<G x N x f16>, !nibble.tile<R x i32> -> !nibble.tile<R x C x f16>
  // CHECK: nibble.gather_columns %x[%[[I]], %{{.*}}] : <M x N x T, strided>, !nibble.tile<C x i32> -> <R x C x T>
  %columns = nibble.row_group %j of N by 8 : !nibble.tile<C x i32>
  %sorted = nibble.gather_columns %x[%i, %columns] : !nibble.matrix<M x N x T, strided>, !nibble.tile<C x i32> -> !nibble.tile<R x C x T>
  // CHECK: %[[CODES:.*]] = nibble.unpack %[[W]] along 1 : !nibble.tile<R x B * C / 32 x i32> -> !nibble.tile<R x C x !nibble.code<B>>
  %codes = nibble.unpack %w along 1 : !nibble.tile<R x C * B / 32 x i32> -> !nibble.tile<R x C x !nibble.code<B>>
  // CHECK: nibble.pack %[[CODES]] along 1 : !nibble.tile<R x C x !nibble.code<B>> -> !nibble.tile<R x B * C / 32 x i32>
  %again = nibble.pack %codes along 1 : !nibble.tile<R x C x !nibble.code<B>> -> !nibble.tile<R x C * B / 32 x i32>
  // CHECK: nibble.dequantize %[[CODES]], zero %[[CODES]] stored_minus_one, scale
  %d = nibble.dequantize %codes, zero %codes stored_minus_one, scale %s : !nibble.tile<R x C x !nibble.code<B>>, !nibble.tile<R x C x f16> -> !nibble.tile<R x C x f32>
  // CHECK: nibble.dequantize %[[CODES]], zero %[[CODES]], scale
  %e = nibble.dequantize %codes, zero %codes, scale %s : !nibble.tile<R x C x !nibble.code<B>>, !nibble.tile<R x C x f16> -> !nibble.tile<R x C x f32>
  // CHECK: nibble.splat 5.000000e-01 : !nibble.tile<C x f32>
  %half = nibble.splat 0.5 : !nibble.tile<C x f32>
  // CHECK: nibble.broadcast %{{.*}} : !nibble.tile<C x f32> -> !nibble.tile<R x C x f32>
  %halves = nibble.broadcast %half : !nibble.tile<C x f32> -> !nibble.tile<R x C x f32>
  // CHECK: nibble.add %{{.*}}, %{{.*}} : !nibble.tile<R x C x f32>
  %sum = nibble.add %d, %halves : !nibble.tile<R x C x f32>
  // CHECK: nibble.round %[[X]] : !nibble.tile<R x C x T> -> !nibble.tile<R x C x f32>
  %wide = nibble.round %a : !nibble.tile<R x C x T> -> !nibble.tile<R x C x f32>
  // CHECK: nibble.store %{{.*}}, %y[%[[I]], %[[J]]] : <R x C x f32>, <M x N x f32>
  nibble.store %sum, %y[%i, %j] : !nibble.tile<R x C x f32>, !nibble.matrix<M x N x f32>
  nibble.store %again, %packed[%i, %j] : !nibble.tile<R x C * B / 32 x i32>, !nibble.matrix<M x N * B / 32 x i32>
}

// CHECK-LABEL: nibble.kernel @fragments
nibble.kernel @fragments params [B one_of [2, 4, 8], R multiple_of 256 / B, C multiple_of 16] sizes [] grid [R by R]
    (%words: !nibble.matrix<R * B / 32 x C x i32>) {
  %i = nibble.program_id
  %w = nibble.load %words[%i, %i] : !nibble.matrix<R * B / 32 x C x i32> -> !nibble.tile<R * B / 32 x C x i32>
  %codes = nibble.unpack %w along 0 : !nibble.tile<R * B / 32 x C x i32> -> !nibble.tile<R x C x !nibble.code<B>>
  // CHECK: nibble.pack_fragments %{{.*}} : !nibble.tile<R x C x !nibble.code<B>> -> !nibble.tile<B * R / 256 x 8 * C x i32>
  %packed = nibble.pack_fragments %codes : !nibble.tile<R x C x !nibble.code<B>> -> !nibble.tile<R * B / 256 x C * 8 x i32>
}

// CHECK-LABEL: nibble.kernel @product
nibble.kernel @product params [R, C, D] sizes [M] grid [M by R]
    (%a: !nibble.matrix<M x D x f16>, %b: !nibble.matrix<D x C x f16>) {
  %i = nibble.program_id
  %zero = arith.constant 0 : index
  %l = nibble.load %a[%i, %zero] : !nibble.matrix<M x D x f16> -> !nibble.tile<R x D x f16>
  %r = nibble.load %b[%zero, %zero] : !nibble.matrix<D x C x f16> -> !nibble.tile<D x C x f16>
  %acc = nibble.splat 0.0 : !nibble.tile<R x C x f32>
  // CHECK: nibble.dot %{{.*}}, %{{.*}}, %{{.*}} : !nibble.tile<R x D x f16>, !nibble.tile<D x C x f16> -> !nibble.tile<R x C x f32>
  %dot = nibble.dot %l, %r, %acc : !nibble.tile<R x D x f16>, !nibble.tile<D x C x f16> -> !nibble.tile<R x C x f32>
}
