// RUN: nibble-opt %s | FileCheck %s
// Extents are compared and printed in normal form.

// CHECK-LABEL: nibble.kernel @normal_form
// CHECK: (%a: !nibble.matrix<B * N / 32 x f16>,
// CHECK-SAME: %b: !nibble.matrix<B * N / 32 x f16>,
// CHECK-SAME: %c: !nibble.matrix<{{.*}}3 * N{{.*}} x f16>,
// CHECK-SAME: %d: !nibble.matrix<N x f16>)
nibble.kernel @normal_form params [B one_of [2, 3, 4, 8], C multiple_of 32 / B] sizes [N multiple_of 32 / B] grid [N by C]
    (%a: !nibble.matrix<N / (32 / B) x f16>,
     %b: !nibble.matrix<B * N / 16 / 2 x f16>,
     %c: !nibble.matrix<2 + N + 2 * N x f16>,
     %d: !nibble.matrix<2 * (N + 1) - 2 - N x f16>) {
  %i = nibble.program_id
  // `C / (32 / B)` and `C * B / 32` are one extent, so this type-checks.
  %x = nibble.load %a[%i] : !nibble.matrix<N * B / 32 x f16> -> !nibble.tile<C / (32 / B) x f16>
  %y = nibble.load %b[%i] : !nibble.matrix<N * B / 32 x f16> -> !nibble.tile<C * B / 32 x f16>
  // CHECK: nibble.add %{{.*}} : !nibble.tile<B * C / 32 x f16>
  %z = nibble.add %x, %y : !nibble.tile<B * C / 32 x f16>
}
