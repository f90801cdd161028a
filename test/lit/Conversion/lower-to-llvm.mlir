// RUN: nibble-opt %kernels/matmul_248.mlir --nibble-specialise="config=BITS=4,GROUP_SIZE=128,ACT_ORDER=0,HAS_BIAS=1,BLOCK_M=64,BLOCK_N=64,BLOCK_K=64,GROUP_M=8,X=f16,T=bf16,Y=bf16,S=f16,N%64,K%64" --nibble-schedule-mma --nibble-lower-to-llvm | FileCheck %s --implicit-check-not="= {{(nibble|scf|arith|math|vector|cf)\.[a-z]}}"
// RUN: nibble-opt %kernels/matmul_248.mlir --nibble-specialise="config=BITS=4,GROUP_SIZE=128,ACT_ORDER=0,HAS_BIAS=1,BLOCK_M=64,BLOCK_N=64,BLOCK_K=64,GROUP_M=8,X=f16,T=bf16,Y=bf16,S=f16,N%64,K%64" --nibble-schedule-host --nibble-lower-to-llvm="expand-bf16" | FileCheck %s --check-prefix=HOST --implicit-check-not="= {{(nibble|scf|arith|math|vector|cf)\.[a-z]}}"
// Only the LLVM and NVVM dialects are left; on the host no conversion of bf16
// is left either, for which there is no runtime library.

// CHECK: llvm.func @matmul_248
// CHECK-SAME: nibble.threads
// CHECK: nvvm.mma.sync
// CHECK: llvm.fptrunc %{{.*}} to vector<2xbf16>
// HOST: llvm.func @matmul_248
// HOST-NOT: llvm.fptrunc {{.*}}bf16
// HOST-NOT: llvm.fpext {{.*}}bf16
// HOST: llvm.intr.fma
