// RUN: nibble-opt %s --split-input-file --verify-diagnostics
// Every error of the types' syntax and verifiers.

// expected-error @below {{expected one or two extents, got 3}}
!t = !nibble.tile<A x B x C x f16>

// -----
// expected-error @below {{extent 0 is not positive}}
!t = !nibble.tile<0 x f16>

// -----
// expected-error @below {{element type 'f64' is not f16, bf16, f32, i32, a code or a name}}
!t = !nibble.tile<4 x f64>

// -----
// expected-error @below {{a matrix holds words, not codes: element type '!nibble.code<4>'}}
!t = !nibble.matrix<4 x !nibble.code<4>>

// -----
// expected-error @below {{expected an extent before the element type, as in 'BLOCK_M x f16'}}
!t = !nibble.tile<f16>

// -----
// expected-error @below {{expected ' x ' (with spaces) and an element type}}
!t = !nibble.tile<BLOCK_Mx64>

// -----
// expected-error @below {{cannot divide by '0': a divisor is one product, not 0}}
!t = !nibble.tile<A / 0 x f16>

// -----
// expected-error @below {{cannot divide by 'A + B': a divisor is one product, not 0}}
!t = !nibble.tile<8 / (A + B) x f16>

// -----
// expected-error @below {{number 2147483649 in an extent is not in [0, 2^31]}}
!t = !nibble.tile<2147483649 x f16>

// -----
// expected-error @below {{expected a name, a number or '(' in an extent}}
!t = !nibble.tile<A * * B x f16>

// -----
// expected-error @below {{'by' is a word of the syntax, not a name}}
!t = !nibble.tile<A * by x f16>

// -----
// expected-error @below {{extent does not fit 64 bits}}
!t = !nibble.tile<2147483648 * 2147483648 * 2147483648 x f16>

// -----
// expected-error @below {{extent is nested more than 64 deep}}
!t = !nibble.tile<A * ((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((B)))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))) x f16>

// -----
// expected-error @below {{extent does not fit 64 bits, 64 terms and powers of 64}}
!t = !nibble.tile<1 * (A+B+C+D+E)*(F+G+H+I+J)*(K+L+M+N+O) x f16>

// -----
// expected-error @below {{extent does not fit 64 bits, 64 terms and powers of 64}}
!t = !nibble.tile<A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A * A x f16>

// -----
// expected-error @below {{cannot divide by 'A': a divisor is one product, not 0, and powers end at 64}}
!t = !nibble.tile<A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A / A x f16>
