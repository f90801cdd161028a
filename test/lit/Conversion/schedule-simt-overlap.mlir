// RUN: nibble-opt %s --nibble-schedule-simt="warps=1 overlap=1" | FileCheck %s
// Only a kernel that gathers columns and stores them reads their numbers before
// it waits: others may ask for another column than the store's.

!f16s = !nibble.tile<16 x 16 x f16>
!f32s = !nibble.tile<16 x 16 x f32>
// CHECK-LABEL: llvm.func @multiplies
// CHECK: nvvm.griddepcontrol launch_dependents
// CHECK-NEXT: llvm.inline_asm {{.*}}"griddepcontrol.wait;"
// CHECK: llvm.load %{{.*}} -> i32
nibble.kernel @multiplies params [] sizes [M, N, K] grid [M by 16, N by 16]
    (%x: !nibble.matrix<M x K x f16>, %w: !nibble.matrix<K x N x f16>, %columns: !nibble.matrix<N x i32>,
     %y: !nibble.matrix<M x N x f16>) {
  %pid = nibble.program_id
  %m, %n = nibble.tile_order %pid
  %zero = arith.constant 0 : index
  %column = nibble.load %columns[%n] : !nibble.matrix<N x i32> -> !nibble.tile<16 x i32>
  %a = nibble.load %x[%m, %zero] : !nibble.matrix<M x K x f16> -> !f16s
  %b = nibble.gather_columns %w[%zero, %column] : !nibble.matrix<K x N x f16>, !nibble.tile<16 x i32> -> !f16s
  %none = nibble.splat 0.0 : !f32s
  %sum = nibble.dot %a, %b, %none : !f16s, !f16s -> !f32s
  %rounded = nibble.round %sum : !f32s -> !f16s
  nibble.store %rounded, %y[%m, %n] : !f16s, !nibble.matrix<M x N x f16>
}
