// RUN: nibble-opt %kernels/pack_weights.mlir --nibble-specialise="config=BITS=4,BLOCK_K=64,BLOCK_N=64,N%64,NP%64,K%64" --nibble-schedule-simt="warps=4" | FileCheck %s
// A thread makes one word of the packed order at a time. Which codes it has
// follows from fields of its number: two bits are the word of a lane, two give
// rows, three a column. The eight codes lie in four words of the checkpoint.

// CHECK-LABEL: llvm.func @pack_weights(
// CHECK: %[[TID:.*]] = nvvm.read.ptx.sreg.tid.x
// CHECK: %[[THREAD:.*]] = arith.index_castui %[[TID]]
// CHECK: scf.for %[[TILE:.*]] =
// CHECK-DAG: %[[LANE:.*]] = arith.divui %[[THREAD]], %c4
// CHECK-DAG: %[[WORD:.*]] = arith.remui %[[THREAD]], %c4
// CHECK-DAG: %[[ROWS:.*]] = arith.remui %[[LANE]], %c4
// CHECK-DAG: %[[COLUMN:.*]] = arith.divui %[[LANE]], %c4
// CHECK-COUNT-4: llvm.load %{{.*}} : !llvm.ptr<1> -> i32
// CHECK-NOT: llvm.load
// The last code of a word: slot 7 is at bit 28.
// CHECK: %[[AT:.*]] = arith.constant 28 : i32
// CHECK: %[[LAST:.*]] = arith.shli %{{.*}}, %[[AT]] : i32
// CHECK: %[[PACKED:.*]] = arith.ori %{{.*}}, %[[LAST]] : i32
// CHECK: llvm.store %[[PACKED]], %{{.*}} : i32, !llvm.ptr<1>
// CHECK-NOT: nibble.pack_fragments
