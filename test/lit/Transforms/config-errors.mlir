// RUN: not nibble-opt %s --nibble-specialise="config=8=" 2>&1 | FileCheck %s --check-prefix=FORM
// RUN: not nibble-opt %s --nibble-specialise="config=B=0" 2>&1 | FileCheck %s --check-prefix=RANGE
// RUN: not nibble-opt %s --nibble-specialise="config=B=8,B=4" 2>&1 | FileCheck %s --check-prefix=TWICE
// RUN: not nibble-opt %s --nibble-specialise="config=B=8,N%x" 2>&1 | FileCheck %s --check-prefix=NUMBER
// RUN: not nibble-opt %s --nibble-specialise="config=B=8,N%0" 2>&1 | FileCheck %s --check-prefix=POSITIVE
// RUN: not nibble-opt %s --nibble-specialise="config=B=8,M<=4" 2>&1 | FileCheck %s --check-prefix=SIZE
// RUN: not nibble-opt %s --nibble-specialise="config=B=8,warps=33" 2>&1 | FileCheck %s --check-prefix=WARPS
// RUN: not nibble-opt %s --nibble-specialise="config=B=8,x@12" 2>&1 | FileCheck %s --check-prefix=ALIGN
// Configurations that no kernel takes.

// FORM: configuration word '8=' is not NAME=VALUE, SIZE%MULTIPLE, SIZE<=MOST or MATRIX@BYTES
// RANGE: parameter 'B' is 0, expected 1 to 2^31
// TWICE: configuration word 'B=4' is given twice
// NUMBER: configuration word 'N%x' does not end in a whole number
// POSITIVE: configuration word 'N%0' does not end in a positive number
// SIZE: 'nibble.kernel' op has no size 'M'
// WARPS: configuration word 'warps=33' is not in [1, 32]
// ALIGN: alignment of 'x' is 12, expected a power of two
nibble.kernel @k params [B] sizes [N] grid [N by B] (%x: !nibble.matrix<N x f16>) {
}
