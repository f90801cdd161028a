// RUN: nibble-opt %s --split-input-file --verify-diagnostics
// Every error of nibble.kernel and of names that its body uses.

// expected-error @below {{declares 'A' twice}}
nibble.kernel @k params [A] sizes [A] grid [A by 8] () {
}

// -----
// expected-error @below {{is named ''; a name has letters, digits and underscores, and begins with no digit}}
nibble.kernel @"" params [] sizes [N] grid [N by 8] () {
}

// -----
// expected-error @below {{is named 'a/b'; a name}}
nibble.kernel @"a/b" params [] sizes [N] grid [N by 8] () {
}

// -----
// expected-error @below {{is named '8k'; a name}}
nibble.kernel @"8k" params [] sizes [N] grid [N by 8] () {
}

// -----
// expected-error @below {{'A' is a multiple of 'B', but 'B' is not a parameter declared before it}}
nibble.kernel @k params [A multiple_of B, B] sizes [N] grid [N by A] () {
}

// -----
// expected-error @below {{'A' is a multiple of 0, which is not positive}}
nibble.kernel @k params [A multiple_of 0] sizes [N] grid [N by A] () {
}

// -----
// expected-error @below {{'A' may be 6, which is not a multiple of 4}}
nibble.kernel @k params [A multiple_of 4 one_of [4, 6]] sizes [N] grid [N by A] () {
}

// -----
// expected-error @below {{declares 'T' twice}}
nibble.kernel @k params [T] types [T one_of [f16]] sizes [N] grid [N by T] () {
}

// -----
// expected-error @below {{type 'T' has no choices}}
nibble.kernel @k params [] types [T one_of []] sizes [N] grid [N by 8] () {
}

// -----
// expected-error @below {{expected a grid of one or two dimensions, got 3}}
nibble.kernel @k params [] sizes [N] grid [N by 8, N by 8, N by 8] () {
}

// -----
// expected-error @below {{argument 0 is 'f32', not a matrix}}
nibble.kernel @k params [] sizes [N] grid [N by 8] (%x: f32) {
}

// -----
// expected-error @below {{has 1 names for 0 arguments}}
"nibble.kernel"() <{sym_name = "k", params = [], types = [], sizes = [#nibble.param<N>], grid = [#nibble.grid_dim<N by 8>], arg_names = ["x"]}> ({
  ^bb0:
}) : () -> ()

// -----
// expected-error @below {{has 1 argument attributes for 0 arguments}}
"nibble.kernel"() <{sym_name = "k", params = [], types = [], sizes = [#nibble.param<N>], grid = [#nibble.grid_dim<N by 8>], arg_names = [], arg_attrs = [{}]}> ({
  ^bb0:
}) : () -> ()

// -----
nibble.kernel @k params [] sizes [N] grid [N by 8] (%x: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  // expected-error @below {{is a size, known only at launch; a tile needs parameters}}
  %t = nibble.load %x[%i] : !nibble.matrix<N x f16> -> !nibble.tile<N x f16>
}

// -----
nibble.kernel @k params [] sizes [N] grid [N by 8] (%x: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  // expected-error @below {{'B' in }}
  %t = nibble.load %x[%i] : !nibble.matrix<N x f16> -> !nibble.tile<B x f16>
}

// -----
nibble.kernel @k params [B] sizes [N] grid [N by B] (%x: !nibble.matrix<N x f16>) {
  %i = nibble.program_id
  // expected-error @below {{is not known to be whole; declare what its names are multiples of}}
  %t = nibble.load %x[%i] : !nibble.matrix<N x f16> -> !nibble.tile<B / 8 x f16>
}

// -----
nibble.kernel @k params [B] sizes [N] grid [N by B] (%x: !nibble.matrix<N x f16>) {
  // expected-error @below {{element type 'T' in }}
  %t = nibble.splat 0.0 : !nibble.tile<B x T>
}
