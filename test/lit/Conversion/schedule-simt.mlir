// RUN: nibble-opt %kernels/matmul_248.mlir --nibble-specialise="config=BITS=4,GROUP_SIZE=128,ACT_ORDER=0,HAS_BIAS=1,BLOCK_M=1,BLOCK_N=64,BLOCK_K=64,GROUP_M=8,X=f16,T=f16,Y=f16,S=f16,N%64,K%64" --nibble-schedule-simt="warps=2" | FileCheck %s
// A thread computes one element of the output at a time.

// CHECK-LABEL: llvm.func @matmul_248(%arg0: !llvm.ptr<1>
// CHECK-SAME: nibble.threads = 64
// CHECK-SAME: nvvm.kernel
// CHECK-SAME: nvvm.reqntid
// CHECK: nvvm.read.ptx.sreg.ctaid.x
// CHECK: nvvm.read.ptx.sreg.tid.x
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}) -> (f32)
// CHECK: math.fma %{{.*}} : f32
// CHECK: llvm.store %{{.*}} : f16, !llvm.ptr<1>
// CHECK-NOT: nibble.dot
