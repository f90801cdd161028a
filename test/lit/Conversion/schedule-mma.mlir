// RUN: nibble-opt %kernels/matmul_248.mlir --nibble-specialise="config=BITS=4,GROUP_SIZE=128,ACT_ORDER=0,HAS_BIAS=1,BLOCK_M=64,BLOCK_N=64,BLOCK_K=64,GROUP_M=8,X=f16,T=f16,Y=f16,S=f16,N%64,K%64" --nibble-schedule-mma="warps=4" | FileCheck %s --check-prefixes=CHECK,F16
// RUN: nibble-opt %kernels/matmul_248.mlir --nibble-specialise="config=BITS=4,GROUP_SIZE=128,ACT_ORDER=0,HAS_BIAS=1,BLOCK_M=64,BLOCK_N=64,BLOCK_K=64,GROUP_M=8,X=f16,T=bf16,Y=bf16,S=f16,N%64,K%64" --nibble-schedule-mma="warps=4" | FileCheck %s --check-prefixes=CHECK,BF16
// Both operands are staged in shared memory and multiplied on tensor cores.

// Two stages of 64 x 72 activations and 64 x 72 weights of two bytes.
// CHECK-LABEL: llvm.func @matmul_248(%arg0: !llvm.ptr<1>
// CHECK-SAME: nibble.shared_bytes = 36864
// CHECK-SAME: nibble.threads = 128
// CHECK: nvvm.barrier0
// CHECK: scf.for
// Four steps of 16 over K, each with 2 x 2 parts of 16 x 16 for a warp.
// CHECK-COUNT-4: nvvm.ldmatrix
// F16-COUNT-32: nvvm.mma.sync{{.*}}(vector<2xf16>, vector<2xf16>, f32)
// BF16-COUNT-32: nvvm.mma.sync{{.*}}multiplicandAPtxType = #nvvm.mma_type<bf16>
// CHECK: nvvm.barrier0
// CHECK: llvm.store %{{.*}} !llvm.ptr<1>
