// RUN: nibble-opt %kernels/matmul_248.mlir --nibble-specialise="config=BITS=4,GROUP_SIZE=128,ACT_ORDER=0,HAS_BIAS=1,BLOCK_M=1,BLOCK_N=64,BLOCK_K=64,GROUP_M=8,X=f16,T=f16,Y=f16,S=f16,N%64,K%64" --nibble-schedule-simt="warps=2" | FileCheck %s
// RUN: nibble-opt %kernels/sort_columns.mlir --nibble-specialise="config=BLOCK_M=1,BLOCK_K=256,X=f32,T=f16" --nibble-schedule-simt="warps=4 overlap=1" | FileCheck %s --check-prefix=SORT
// RUN: nibble-opt %kernels/sort_columns.mlir --nibble-specialise="config=BLOCK_M=1,BLOCK_K=256,X=f32,T=f16,x@16,K%256,K<=1536" --nibble-schedule-simt="warps=4 overlap=1 held=1" | FileCheck %s --check-prefix=HELD
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

// Two elements a thread, written where the threads' neighbours write. It lets
// the kernel after it start, reads which columns it moves, waits for the kernel
// before it, and then reads all before it writes.
// SORT: llvm.func @sort_columns(%[[X:.*]]: !llvm.ptr<1>, %{{.*}}: i64, %{{.*}}: i64, %[[ROWS:.*]]: !llvm.ptr<1>, %[[SORTED:[^:]*]]: !llvm.ptr<1>
// SORT-SAME: nibble.overlap
// SORT: nvvm.griddepcontrol launch_dependents
// SORT: %[[PLACE:.*]] = llvm.getelementptr %[[ROWS]]
// SORT: llvm.load %[[PLACE]] {{.*}} -> i32
// SORT: %[[PLACE:.*]] = llvm.getelementptr %[[ROWS]]
// SORT: llvm.load %{{.*}} -> i32
// SORT: llvm.inline_asm has_side_effects {{.*}}"griddepcontrol.wait;", "~{memory}"
// SORT-NOT: -> i32
// SORT: %[[FROM:.*]] = llvm.getelementptr %[[X]]
// SORT: llvm.load %[[FROM]] {{.*}} -> f32
// SORT: arith.truncf
// SORT: llvm.load %{{.*}} -> f32
// SORT: arith.truncf
// SORT: llvm.getelementptr %[[SORTED]]
// SORT: llvm.store %{{.*}} : f16
// SORT: llvm.store %{{.*}} : f16

// With rows held: two columns' numbers, then after the wait all of a row of up
// to 1536 columns, three pieces of 16 bytes a thread, the last again where there
// are fewer. When all threads have written them, elements are read from there.
// HELD: llvm.func @sort_columns(%[[X:.*]]: !llvm.ptr<1>, %{{.*}}: i64, %[[ROWS:.*]]: !llvm.ptr<1>, %[[SORTED:[^:]*]]: !llvm.ptr<1>
// HELD-SAME: nibble.overlap
// HELD-SAME: nibble.shared_bytes = 6144
// HELD: %[[SHARED:.*]] = llvm.mlir.addressof @sort_columns_shared
// HELD: nvvm.griddepcontrol launch_dependents
// HELD-COUNT-2: llvm.load %{{.*}} -> i32
// HELD: llvm.inline_asm has_side_effects {{.*}}"griddepcontrol.wait;", "~{memory}"
// HELD: llvm.getelementptr %[[SHARED]]
// HELD: arith.minui
// HELD-COUNT-3: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xi32>
// HELD-COUNT-3: llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xi32>, !llvm.ptr<3>
// HELD: nvvm.barrier0
// HELD-NOT: !llvm.ptr<1> -> f32
// HELD-COUNT-2: llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr<3> -> f32
// HELD-COUNT-2: llvm.store %{{.*}} : f16, !llvm.ptr<1>
