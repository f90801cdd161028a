// RUN: nibble-opt %s --nibble-pipeline="config=BLOCK=64 target=sm_90a" | FileCheck %s --check-prefix=LOWER
// RUN: nibble-opt %s --nibble-pipeline="config=BLOCK=64 target=sm_90a schedule=simt until=schedule" | FileCheck %s --check-prefix=SCHEDULE
// RUN: nibble-opt %s --nibble-pipeline="config=BLOCK=64 until=specialise" | FileCheck %s --check-prefix=SPECIALISE
// RUN: not nibble-opt %s --nibble-pipeline="config=BLOCK=64 until=nope" 2>&1 | FileCheck %s --check-prefix=NOPE
// The stages on MLIR as one pipeline, which compile() runs as well.

// LOWER: llvm.func @copy
// LOWER-SAME: nibble.mma_refused = "nibble.store stores a tile of one extent"
// LOWER-SAME: nibble.schedule = "simt"
// LOWER-NOT: scf.for
// SCHEDULE: llvm.func @copy
// SCHEDULE: arith.
// SPECIALISE: nibble.kernel @copy
// SPECIALISE: <N x f16> -> <64 x f16>
// NOPE: there is no stage 'nope'
nibble.kernel @copy params [BLOCK] sizes [N] grid [N by BLOCK]
    (%x: !nibble.matrix<N x f16>, %y: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  %t = nibble.load %x[%i] : !nibble.matrix<N x f16> -> !nibble.tile<BLOCK x f16>
  nibble.store %t, %y[%i] : !nibble.tile<BLOCK x f16>, !nibble.matrix<N x f16>
}
