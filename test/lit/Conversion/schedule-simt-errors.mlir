// RUN: not nibble-opt %kernels/sort_columns.mlir --nibble-specialise="config=BLOCK_M=1,BLOCK_K=256,X=f16,T=f16,K%8,K<=4096" --nibble-schedule-simt="warps=4 held=1" 2>&1 | FileCheck %s --check-prefix=PIECES
// RUN: not nibble-opt %kernels/sort_columns.mlir --nibble-specialise="config=BLOCK_M=1,BLOCK_K=256,X=f16,T=f16,x@16,K%4,K<=4096" --nibble-schedule-simt="warps=4 held=1" 2>&1 | FileCheck %s --check-prefix=PIECES
// RUN: not nibble-opt %kernels/sort_columns.mlir --nibble-specialise="config=BLOCK_M=1,BLOCK_K=256,X=f16,T=f16,x@16,K%8" --nibble-schedule-simt="warps=4 held=1" 2>&1 | FileCheck %s --check-prefix=MOST
// RUN: not nibble-opt %kernels/sort_columns.mlir --nibble-specialise="config=BLOCK_M=2,BLOCK_K=256,X=f16,T=f16,x@16,K%8,K<=8000" --nibble-schedule-simt="warps=4 held=1 shared-bytes=32767" 2>&1 | FileCheck %s --check-prefix=ROOM
// RUN: nibble-opt %kernels/sort_columns.mlir --nibble-specialise="config=BLOCK_M=2,BLOCK_K=256,X=f16,T=f16,x@16,K%8,K<=8000" --nibble-schedule-simt="warps=4 held=1 shared-bytes=32768"
// RUN: not nibble-opt %kernels/sort_columns.mlir --nibble-specialise="config=BLOCK_M=1,BLOCK_K=8192,X=f16,T=f16,x@16,K%8,K<=4096" --nibble-schedule-simt="warps=4 held=1" 2>&1 | FileCheck %s --check-prefix=MUCH
// RUN: not nibble-opt %kernels/make_dense.mlir --nibble-specialise="config=BLOCK_M=1,BLOCK_K=256,X=f16,from@16,K%8,K<=4096" --nibble-schedule-simt="warps=4 held=1" 2>&1 | FileCheck %s --check-prefix=MUCH
// What the schedule simt cannot hold.

// PIECES: error: the schedule simt refuses this kernel: nibble.gather_columns holds rows that are not known to be whole pieces of 16 bytes{{$}}
// MOST: error: the schedule simt refuses this kernel: nibble.gather_columns holds rows of which no most columns are known{{$}}
// ROOM: error: the schedule simt refuses this kernel: nibble.gather_columns holds 32768 bytes of rows in shared memory, of which a program may use 32767{{$}}
// MUCH: error: the schedule simt refuses this kernel: nibble.kernel does more than to gather and store columns, or more than 32 a thread: there are no rows to hold{{$}}
