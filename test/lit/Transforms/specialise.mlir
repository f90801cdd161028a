// RUN: nibble-opt %s --nibble-specialise="config=BITS=4,FLAG=1,BLOCK=32,T=bf16,N%64,x@16" | FileCheck %s
// Names become numbers and types, branches on parameters are taken, and what
// the configuration knows of sizes and addresses is kept.

// CHECK-LABEL: nibble.kernel @k
// CHECK-NEXT: sizes [M, N multiple_of 64]
// CHECK-NEXT: grid [M by 32]
// CHECK-NEXT: %x: !nibble.matrix<M x N x bf16> {nibble.align = 16
nibble.kernel @k params [BITS one_of [2, 3, 4, 8], FLAG one_of [0, 1], BLOCK multiple_of 32 / BITS]
    types [T one_of [f16, bf16]] sizes [M, N multiple_of 32 / BITS] grid [M by BLOCK]
    (%x: !nibble.matrix<M x N x T>, %y: !nibble.matrix<M x N x T>) {
  %pid = nibble.program_id
  %zero = arith.constant 0 : index
  %flag = nibble.param FLAG : i1
  // CHECK-NOT: scf.if
  // CHECK: %[[T:.*]] = nibble.load %x[{{.*}}] : <M x N x bf16> -> <32 x 4 x bf16>
  // CHECK-NOT: nibble.splat
  %tile = scf.if %flag -> (!nibble.tile<BLOCK x BITS x T>) {
    %loaded = nibble.load %x[%pid, %zero] : !nibble.matrix<M x N x T> -> !nibble.tile<BLOCK x BITS x T>
    scf.yield %loaded : !nibble.tile<BLOCK x BITS x T>
  } else {
    %zeros = nibble.splat 0.0 : !nibble.tile<BLOCK x BITS x T>
    scf.yield %zeros : !nibble.tile<BLOCK x BITS x T>
  }
  // CHECK: nibble.store %[[T]], %y
  nibble.store %tile, %y[%pid, %zero] : !nibble.tile<BLOCK x BITS x T>, !nibble.matrix<M x N x T>
}

// Rows whose alignment is known are not strided.
// CHECK-LABEL: nibble.kernel @strided
// CHECK-NEXT: sizes [M, N multiple_of 64]
// CHECK-NEXT: grid [M by 32]
// CHECK-NEXT: %x: !nibble.matrix<M x N x f16> {nibble.align = 16 : i64}, %y: !nibble.matrix<M x N x f16, strided>
// CHECK: nibble.load %x[{{.*}}] : <M x N x f16> -> <32 x 4 x f16>
nibble.kernel @strided params [BITS, FLAG, BLOCK] types [T one_of [f16, bf16]] sizes [M, N] grid [M by BLOCK]
    (%x: !nibble.matrix<M x N x f16, strided>, %y: !nibble.matrix<M x N x f16, strided>) {
  %pid = nibble.program_id
  %zero = arith.constant 0 : index
  %tile = nibble.load %x[%pid, %zero] : !nibble.matrix<M x N x f16, strided> -> !nibble.tile<BLOCK x BITS x f16>
  nibble.store %tile, %y[%pid, %zero] : !nibble.tile<BLOCK x BITS x f16>, !nibble.matrix<M x N x f16, strided>
}
