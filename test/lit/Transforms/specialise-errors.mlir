// RUN: nibble-opt %s --split-input-file --verify-diagnostics --nibble-specialise="config=B=8,T=f16,N%16,x@16"
// Every error of nibble-specialise.

// expected-error @below {{has no parameter 'B'}}
nibble.kernel @k params [] types [T one_of [f16]] sizes [N] grid [N by 8] (%x: !nibble.matrix<N x T>) {
}

// -----
// expected-error @below {{parameter 'C' has no value}}
nibble.kernel @k params [B, C] types [T one_of [f16]] sizes [N] grid [N by 8] (%x: !nibble.matrix<N x T>) {
}

// -----
// expected-error @below {{parameter 'B' is 8, expected one of 2, 4}}
nibble.kernel @k params [B one_of [2, 4]] types [T one_of [f16]] sizes [N] grid [N by 8] (%x: !nibble.matrix<N x T>) {
}

// -----
// expected-error @below {{parameter 'B' is 8, expected a multiple of 16}}
nibble.kernel @k params [B multiple_of 16] types [T one_of [f16]] sizes [N] grid [N by 8] (%x: !nibble.matrix<N x T>) {
}

// -----
// expected-error @below {{multiple_of '4 - B' becomes '-4', which divides none}}
nibble.kernel @k params [B] types [T one_of [f16]] sizes [N multiple_of 4 - B] grid [N by 8] (%x: !nibble.matrix<N x T>) {
}

// -----
// expected-error @below {{has no type parameter 'T'}}
nibble.kernel @k params [B] sizes [N] grid [N by 8] (%x: !nibble.matrix<N x f16>) {
}

// -----
// expected-error @below {{type parameter 'U' has no value}}
nibble.kernel @k params [B] types [T one_of [f16], U one_of [f16]] sizes [N] grid [N by 8] (%x: !nibble.matrix<N x T>) {
}

// -----
// expected-error @below {{type parameter 'T' is 'f16', expected one of 'bf16', 'f32'}}
nibble.kernel @k params [B] types [T one_of [bf16, f32]] sizes [N] grid [N by 8] (%x: !nibble.matrix<N x T>) {
}

// -----
// expected-error @below {{has no size 'N'}}
nibble.kernel @k params [B] types [T one_of [f16]] sizes [M] grid [M by 8] (%x: !nibble.matrix<M x T>) {
}

// -----
// expected-error @below {{has no matrix 'x'}}
nibble.kernel @k params [B] types [T one_of [f16]] sizes [N] grid [N by 8] (%y: !nibble.matrix<N x T>) {
}

// -----
// expected-error @below {{extent '4 - B' becomes '-4', which is not a positive whole number}}
nibble.kernel @k params [B] types [T one_of [f16]] sizes [N] grid [N by 8] (%x: !nibble.matrix<N x T>) {
  %t = nibble.splat 0.0 : !nibble.tile<4 - B x T>
}
