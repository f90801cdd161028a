// RUN: nibble-opt %s --split-input-file --verify-diagnostics --nibble-schedule-simt
// What no schedule takes.

// expected-error @below {{kernel @k still has parameters; run nibble-specialise first}}
nibble.kernel @k params [B] sizes [N] grid [N by B] (%x: !nibble.matrix<N x f16>) {
}

// -----
nibble.kernel @k params [] sizes [N] grid [N by 8] (%x: !nibble.matrix<N x f16>, %y: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  // expected-error @below {{stands around a store; schedules take scf.if and scf.for without results}}
  %last = scf.for %k = %zero to %one step %one iter_args(%before = %zero) -> (index) {
    %t = nibble.load %x[%k] : !nibble.matrix<N x f16> -> !nibble.tile<8 x f16>
    nibble.store %t, %y[%k] : !nibble.tile<8 x f16>, !nibble.matrix<N x f16>
    scf.yield %k : index
  }
}

// -----
nibble.kernel @k params [] sizes [N] grid [N by 8] (%x: !nibble.matrix<N x f16>, %y: !nibble.matrix<N x f16>) {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %t = nibble.splat 0.0 : !nibble.tile<8 x f16>
  // expected-error @below {{carries 2 values; schedules take loops that carry one tile}}
  %both:2 = scf.for %k = %zero to %one step %one iter_args(%a = %t, %b = %t) -> (!nibble.tile<8 x f16>, !nibble.tile<8 x f16>) {
    scf.yield %b, %a : !nibble.tile<8 x f16>, !nibble.tile<8 x f16>
  }
  nibble.store %both#0, %y[%zero] : !nibble.tile<8 x f16>, !nibble.matrix<N x f16>
}

// -----
nibble.kernel @k params [] sizes [N] grid [N by 8] (%x: !nibble.matrix<N x f16>, %y: !nibble.matrix<N x f16>) {
  %zero = arith.constant 0 : index
  // expected-error @below {{gives a tile that no schedule can compute}}
  %t = builtin.unrealized_conversion_cast %zero : index to !nibble.tile<8 x f16>
  nibble.store %t, %y[%zero] : !nibble.tile<8 x f16>, !nibble.matrix<N x f16>
}

// -----
nibble.kernel @k params [] sizes [N] grid [N by 8] (%x: !nibble.matrix<N x f16>, %y: !nibble.matrix<N x f16>) {
  %t = nibble.splat 0.0 : !nibble.tile<8 x f16>
  // expected-error @below {{gives a scalar that no schedule can compute}}
  %i = builtin.unrealized_conversion_cast to index
  nibble.store %t, %y[%i] : !nibble.tile<8 x f16>, !nibble.matrix<N x f16>
}

// -----
// expected-error @below {{kernel @k has packed weights, which only the schedule mma_packed reads}}
nibble.kernel @k params [] sizes [N] grid [N by 8] (%x: !nibble.matrix<N x f16>) attributes {nibble.packed = 128 : i64} {
}
