// RUN: nibble-opt %kernels/pack_weights.mlir --nibble-specialise="config=BITS=4,BLOCK_K=64,BLOCK_N=64,N%64,NP%64,K%64" --nibble-schedule-simt="warps=4" | FileCheck %s
// RUN: nibble-opt %kernels/pack_weights.mlir --nibble-specialise="config=BITS=3,BLOCK_K=128,BLOCK_N=64,N%64,NP%64,K%128" --nibble-schedule-simt="warps=4" | FileCheck %s --check-prefix=PLANES
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

// With 3 bits the first 128 words of a unit have the low two bits of 16 codes
// each, and the other 64 the third bits of 32. Code 31, of an odd word, is in
// bits 30 and 31 of its low word and in bit 1 of the other.
// PLANES-LABEL: llvm.func @pack_weights(
// PLANES: %[[INUNIT:.*]] = arith.remui %{{.*}}, %c192
// PLANES: %[[FIRST:.*]] = arith.cmpi ult, %[[INUNIT]], %c128
// PLANES: %[[PACKED:.*]] = scf.if %[[FIRST]] -> (i32) {
// PLANES-COUNT-16: arith.andi %{{.*}}, %c3_i32
// PLANES: %[[AT30:.*]] = arith.constant 30 : i32
// PLANES: %[[LAST:.*]] = arith.shli %{{.*}}, %[[AT30]] : i32
// PLANES: arith.ori %{{.*}}, %[[LAST]] : i32
// PLANES: } else {
// PLANES: arith.andi %{{.*}}, %c1_i32
// PLANES: %[[LAST:.*]] = arith.shli %{{.*}}, %c1_i32{{.*}} : i32
// PLANES-NEXT: %[[OR:.*]] = arith.ori %{{.*}}, %[[LAST]] : i32
// PLANES-NEXT: scf.yield %[[OR]]
// PLANES: llvm.store %[[PACKED]], %{{.*}} : i32, !llvm.ptr<1>
// PLANES-NOT: nibble.pack_fragments
