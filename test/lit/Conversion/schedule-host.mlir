// RUN: nibble-opt %kernels/matmul_248.mlir --nibble-specialise="config=BITS=4,GROUP_SIZE=128,ACT_ORDER=0,HAS_BIAS=1,BLOCK_M=1,BLOCK_N=64,BLOCK_K=64,GROUP_M=8,X=f16,T=f16,Y=f16,S=f16,N%64,K%64" --nibble-schedule-host | FileCheck %s
// A row of the output by vectors of columns, accumulated in f32 over all of K.

// CHECK-LABEL: llvm.func @matmul_248(%arg0: !llvm.ptr, %arg1: i64, %arg2: i64)
// The words of the launch are read once, before the loop over programs.
// CHECK: llvm.load %{{.*}} : !llvm.ptr -> !llvm.ptr
// CHECK: scf.for
// CHECK: scf.for {{.*}} iter_args({{.*}}) -> (vector<8xf32>
// CHECK: llvm.load %{{.*}} -> vector<8xi32>
// CHECK: arith.shrui %{{.*}} : vector<8xi32>
// CHECK: math.fma %{{.*}} : vector<8xf32>
// CHECK: arith.truncf %{{.*}} : vector<8xf32> to vector<8xf16>
// CHECK-NOT: nibble.load
// CHECK-NOT: nibble.store
