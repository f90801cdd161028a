// RUN: not nibble-opt %kernels/sort_columns.mlir --nibble-specialise="config=BLOCK_M=1,BLOCK_K=256,X=f16,T=f16,K%8,K<=4096" --nibble-schedule-simt="warps=4 held=1" 2>&1 | FileCheck %s --check-prefix=PIECES
// RUN: not nibble-opt %kernels/sort_columns.mlir --nibble-specialise="config=BLOCK_M=1,BLOCK_K=256,X=f16,T=f16,x@16,K%4,K<=4096" --nibble-schedule-simt="warps=4 held=1" 2>&1 | FileCheck %s --check-prefix=PIECES
// RUN: not nibble-opt %kernels/sort_columns.mlir --nibble-specialise="config=BLOCK_M=1,BLOCK_K=256,X=f16,T=f16,x@16,K%8" --nibble-schedule-simt="warps=4 held=1" 2>&1 | FileCheck %s --check-prefix=MOST
// RUN: not nibble-opt %kernels/sort_columns.mlir --nibble-specialise="config=BLOCK_M=2,BLOCK_K=256,X=f16,T=f16,x@16,K%8,K<=8000" --nibble-schedule-simt="warps=4 held=1 shared-bytes=32767" 2>&1 | FileCheck %s --check-prefix=ROOM
// RUN: nibble-opt %kernels/sort_columns.mlir --nibble-specialise="config=BLOCK_M=2,BLOCK_K=256,X=f16,T=f16,x@16,K%8,K<=8000" --nibble-schedule-simt="warps=4 held=1 shared-bytes=32768"
// RUN: not nibble-opt %kernels/sort_columns.mlir --nibble-specialise="config=BLOCK_M=1,BLOCK_K=8192,X=f16,T=f16,x@16,K%8,K<=4096" --nibble-schedule-simt="warps=4 held=1" 2>&1 | FileCheck %s --check-prefix=MUCH
// RUN: not nibble-opt %kernels/make_dense.mlir --nibble-specialise="config=BLOCK_M=1,BLOCK_K=256,X=f16,from@16,K%8,K<=4096" --nibble-schedule-simt="warps=4 held=1" 2>&1 | FileCheck %s --check-prefix=DENSE
// RUN: not nibble-opt %kernels/sort_columns.mlir --nibble-specialise="config=BLOCK_M=1,BLOCK_K=64,X=f16,T=f16,x@16,K%8,K<=4096" --nibble-schedule-simt="warps=4 held=1" 2>&1 | FileCheck %s --check-prefix=FEW
// RUN: nibble-opt %s --split-input-file --verify-diagnostics --nibble-schedule-simt="warps=8 held=1 shared-bytes=65536"
// What the schedule simt cannot hold.

// PIECES: error: the schedule simt refuses this kernel: nibble.gather_columns holds rows that are not known to be whole pieces of 16 bytes{{$}}
// MOST: error: the schedule simt refuses this kernel: nibble.gather_columns holds rows of which no most columns are known{{$}}
// ROOM: error: the schedule simt refuses this kernel: nibble.gather_columns holds 32768 bytes of rows in shared memory, of which a program may use 32767{{$}}
// MUCH: error: the schedule simt refuses this kernel: nibble.store stores 8192 elements by 128 threads, not 1 to 32 by each{{$}}
// DENSE: error: the schedule simt refuses this kernel: nibble.kernel does not gather columns and store them once{{$}}
// FEW: error: the schedule simt refuses this kernel: nibble.store stores 64 elements by 128 threads, not 1 to 32 by each{{$}}

// -----
!tile = !nibble.tile<16 x 16 x f16>
!numbers = !nibble.tile<16 x i32>
nibble.kernel @other_rows params [] sizes [M, MP, K multiple_of 8] grid [MP by 16, K by 16]
    (%x: !nibble.matrix<M x K x f16> {nibble.align = 16 : i64}, %rows: !nibble.matrix<K x i32>,
     %y: !nibble.matrix<MP x K x f16>) {
  %pid = nibble.program_id
  %m, %k = nibble.tile_order %pid
  %row = nibble.load %rows[%k] : !nibble.matrix<K x i32> -> !numbers
  %a = nibble.gather_columns %x[%m, %row] : !nibble.matrix<M x K x f16>, !numbers -> !tile
  // expected-error @below {{nibble.store stores other rows than those that are gathered}}
  nibble.store %a, %y[%m, %k] : !tile, !nibble.matrix<MP x K x f16>
}

// -----
!tile = !nibble.tile<16 x 16 x f16>
!numbers = !nibble.tile<16 x i32>
nibble.kernel @computed params [] sizes [M, K multiple_of 8] grid [M by 16, K by 16]
    (%x: !nibble.matrix<M x K x f16> {nibble.align = 16 : i64}, %y: !nibble.matrix<M x K x f16>) {
  %pid = nibble.program_id
  %m, %k = nibble.tile_order %pid
  // expected-error @below {{nibble.row_group does more than gather and store columns}}
  %row = nibble.row_group %k of K by 8 : !numbers
  %a = nibble.gather_columns %x[%m, %row] : !nibble.matrix<M x K x f16>, !numbers -> !tile
  nibble.store %a, %y[%m, %k] : !tile, !nibble.matrix<M x K x f16>
}

// -----
// A number of columns is known to be at most itself.
!tile = !nibble.tile<16 x 16 x f16>
!numbers = !nibble.tile<16 x i32>
nibble.kernel @number params [] sizes [M] grid [M by 16, 4096 by 16]
    (%x: !nibble.matrix<M x 4096 x f16> {nibble.align = 16 : i64}, %rows: !nibble.matrix<4096 x i32>,
     %y: !nibble.matrix<M x 4096 x f16>) {
  %pid = nibble.program_id
  %m, %k = nibble.tile_order %pid
  %row = nibble.load %rows[%k] : !nibble.matrix<4096 x i32> -> !numbers
  // expected-error @below {{holds 131072 bytes of rows in shared memory, of which a program may use 65536}}
  %a = nibble.gather_columns %x[%m, %row] : !nibble.matrix<M x 4096 x f16>, !numbers -> !tile
  nibble.store %a, %y[%m, %k] : !tile, !nibble.matrix<M x 4096 x f16>
}
