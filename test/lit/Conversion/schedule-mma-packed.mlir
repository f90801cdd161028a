// RUN: nibble-opt %kernels/matmul_248.mlir --nibble-specialise="config=BITS=4,GROUP_SIZE=128,ACT_ORDER=0,HAS_BIAS=1,BLOCK_M=8,BLOCK_N=32,BLOCK_K=512,GROUP_M=8,X=f16,T=f16,Y=f16,S=f16,N%32,K%512,x@16,y@4,packed=128" --nibble-schedule-mma-packed="warps=4 stages=3 prefetch=2" | FileCheck %s --check-prefixes=CHECK,F16
// RUN: nibble-opt %kernels/matmul_248.mlir --nibble-specialise="config=BITS=4,GROUP_SIZE=128,ACT_ORDER=0,HAS_BIAS=1,BLOCK_M=8,BLOCK_N=32,BLOCK_K=512,GROUP_M=8,X=bf16,T=bf16,Y=bf16,S=f16,N%32,K%512,x@16,y@4,packed=128" --nibble-schedule-mma-packed="warps=4 stages=3 prefetch=2" | FileCheck %s --check-prefixes=CHECK,BF16
// RUN: nibble-opt %kernels/matmul_248.mlir --nibble-specialise="config=BITS=4,GROUP_SIZE=128,ACT_ORDER=1,HAS_BIAS=0,BLOCK_M=8,BLOCK_N=32,BLOCK_K=512,GROUP_M=8,X=f16,T=f16,Y=f16,S=f16,packed=32" --nibble-schedule-gpu="warps=4 overlap=1" | FileCheck %s --check-prefix=PERMUTED
// RUN: nibble-opt %kernels/matmul_248.mlir --nibble-specialise="config=BITS=8,GROUP_SIZE=128,ACT_ORDER=0,HAS_BIAS=0,BLOCK_M=64,BLOCK_N=64,BLOCK_K=128,GROUP_M=8,X=f16,T=f16,Y=f16,S=f16,N%64,K%128,x@16,y@4,packed=128" --nibble-schedule-mma-packed="warps=4" | FileCheck %s --check-prefix=WIDE
// RUN: nibble-opt %kernels/matmul_248.mlir --nibble-specialise="config=BITS=4,GROUP_SIZE=128,ACT_ORDER=0,HAS_BIAS=0,BLOCK_M=8,BLOCK_N=32,BLOCK_K=256,GROUP_M=8,X=f16,S=f16,T=f16,Y=f16,N%32,K%256,x@16,y@4,packed=128" --nibble-schedule-mma-packed="warps=2 splits=2" | FileCheck %s --check-prefix=SPLIT
// RUN: nibble-opt %kernels/matmul_248.mlir --nibble-specialise="config=BITS=3,GROUP_SIZE=128,ACT_ORDER=0,HAS_BIAS=0,BLOCK_M=8,BLOCK_N=32,BLOCK_K=512,GROUP_M=8,X=f16,S=f16,T=f16,Y=f16,N%32,K%512,x@16,y@4,packed=128" --nibble-schedule-mma-packed="warps=4 stages=3" | FileCheck %s --check-prefix=PLANES
// Packed weights go from memory to registers, and from there to tensor cores.

// Four warps share the columns and divide the rows of K: three stages of
// 512 x 8 activations of two bytes.
// CHECK-LABEL: llvm.func @matmul_248(%arg0: !llvm.ptr<1>
// CHECK-SAME: nibble.schedule = "mma_packed", nibble.shared_bytes = 24576
// CHECK-SAME: nibble.threads = 128
// Two steps of weights before the loop: two units of two tiles each, and two
// pairs of scales and zero points.
// CHECK-COUNT-4: ld.global.nc.L1::no_allocate.v4.u32
// CHECK-COUNT-2: ld.global.nc.v2.u32
// CHECK-COUNT-4: ld.global.nc.L1::no_allocate.v4.u32
// CHECK: nvvm.cp.async.shared.global {{.*}}, 16, cache = cg
// CHECK: scf.for
// CHECK: nvvm.cp.async.wait.group 1
// CHECK-NEXT: nvvm.barrier0
// A mask and an exponent are one instruction.
// F16: lop3.b32 $0, $1, 0x000f000f, 0x64006400, 0xea;
// F16: lop3.b32 $0, $1, 0x00f000f0, 0x64006400, 0xea;
// BF16: lop3.b32 $0, $1, 0x000f000f, 0x43004300, 0xea;
// Eight steps of 16 over a warp's 128 rows, for two tiles of columns.
// F16-COUNT-16: nvvm.mma.sync{{.*}}(vector<2xf16>, vector<2xf16>, f32)
// BF16-COUNT-16: nvvm.mma.sync{{.*}}multiplicandAPtxType = #nvvm.mma_type<bf16>
// CHECK: ld.global.nc.L1::no_allocate
// The warps' sums, added in their order, then the bias.
// CHECK: nvvm.barrier0
// CHECK: llvm.store %{{.*}} : f32, !llvm.ptr<3>
// CHECK: nvvm.barrier0
// CHECK: scf.for
// CHECK-COUNT-4: llvm.load %{{.*}} -> vector<4xf32>
// CHECK: llvm.store %{{.*}} !llvm.ptr<1>

// x is gathered by the permutation; the kernel before is waited for after the
// weights are on their way. 128 rows have four scales.
// PERMUTED: llvm.func @matmul_248
// PERMUTED-SAME: nibble.overlap
// PERMUTED: nvvm.griddepcontrol launch_dependents
// PERMUTED-COUNT-8: ld.global.nc.v2.u32
// PERMUTED: llvm.inline_asm {{.*}}"griddepcontrol.wait;", "~{memory}"
// PERMUTED: llvm.load %{{.*}} -> i32
// PERMUTED: llvm.load %{{.*}} -> f16
// PERMUTED-NOT: cp.async.shared.global

// Many rows: weights are scaled, not sums, and bytes become numbers by prmt.
// WIDE: nvvm.prmt
// WIDE: arith.mulf %{{.*}} : vector<2xf16>
// WIDE-COUNT-64: nvvm.mma.sync

// Two blocks of a cluster divide the steps over K; each adds up all sums of its
// part of the elements, and stays until the other has read its own.
// SPLIT: llvm.func @matmul_248
// SPLIT-SAME: nibble.splits = 2
// SPLIT-SAME: nvvm.cluster_dim = array<i32: 2, 1, 1>
// SPLIT: llvm.store %{{.*}} : f32, !llvm.ptr<3>
// SPLIT: nvvm.cluster.arrive
// SPLIT: nvvm.cluster.wait
// SPLIT: scf.for
// SPLIT-COUNT-2: nvvm.mapa
// SPLIT: llvm.store %{{.*}} !llvm.ptr<1>
// SPLIT: nvvm.cluster.arrive
// SPLIT: nvvm.cluster.wait

// A unit of 3 bits is 128 rows in 768 bytes: 16 bytes a lane of low bits, then 8
// of third bits. Two columns of tiles are two units.
// PLANES: llvm.func @matmul_248
// PLANES: %[[LANE:.*]] = arith.remui %{{.*}}, %c32_i32
// PLANES: arith.muli %[[LANE]], %c16_i32
// PLANES: %[[INPLANE:.*]] = arith.muli %[[LANE]], %c8_i32
// PLANES: arith.addi %[[INPLANE]], %c512_i32
// PLANES: ld.global.nc.L1::no_allocate.v4.u32 {{.*}}, [$4+0];"
// PLANES: ld.global.nc.L1::no_allocate.v2.u32 {{.*}}, [$2+0];"
// PLANES: ld.global.nc.L1::no_allocate.v4.u32 {{.*}}, [$4+768];"
// PLANES: ld.global.nc.L1::no_allocate.v2.u32 {{.*}}, [$2+768];"
// PLANES-COUNT-2: ld.global.nc.v2.u32
// PLANES-NOT: ld.global.nc
// PLANES: scf.for
// Codes at bits 0, 4, 8 and 12, and those at 2, 6, 10 and 14 brought there; two
// registers of each are taken as they lie.
// PLANES: %[[FIRST:.*]] = llvm.inline_asm "lop3.b32 $0, $1, $2, 0x33333333, 0xe4;", "=r,r,r" %[[LOW:.*]], %[[THIRD:.*]] : (i32, i32) -> i32
// PLANES: llvm.inline_asm "lop3.b32 $0, $1, 0x00070007, 0x64006400, 0xea;", "=r,r" %[[FIRST]]
// PLANES: %[[ABOVE:.*]] = llvm.inline_asm "lop3.b32 $0, $1, $2, 0xcccccccc, 0xe4;", "=r,r,r" %[[LOW]], %[[THIRD]]
// PLANES: %[[SECOND:.*]] = llvm.intr.fshr(%[[ABOVE]], %[[ABOVE]], %c2_i32)
// PLANES: llvm.inline_asm "lop3.b32 $0, $1, 0x00070007, 0x64006400, 0xea;", "=r,r" %[[SECOND]]
// PLANES: llvm.inline_asm "lop3.b32 $0, $1, 0x00700070, 0x64006400, 0xea;", "=r,r" %[[FIRST]]
// PLANES: llvm.inline_asm "lop3.b32 $0, $1, 0x00700070, 0x64006400, 0xea;", "=r,r" %[[SECOND]]
// PLANES: nvvm.mma.sync
// The next 16 rows are in the upper bytes; the 32 after them in the next word,
// whose third bits are one bit further up.
// PLANES: llvm.intr.fshr(%[[FIRST]], %[[FIRST]], %c8_i32)
// PLANES: arith.shrui %[[THIRD]], %c1_i32
