//===- Passes.td - Passes from tile IR to tile IR --------------*- tablegen -*-===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TRANSFORMS_PASSES_TD
#define NIBBLE_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def Specialise : Pass<"nibble-specialise", "::mlir::ModuleOp"> {
  let summary = "Replace the names of a kernel by their values";
  let description = [{
    Precondition: kernels with declared parameters, and a configuration that
    gives each of them a value its declaration allows.

    Postcondition: no parameter, type parameter or `nibble.param` is left; every
    tile has numbers for extents; `scf.if` on a parameter is replaced by the
    branch that is taken; sizes carry what the configuration knows of them.

    ```mlir
    nibble.kernel @k params [B] sizes [N] grid [N by B] (%x: !nibble.matrix<N x f16>) {
      %pid = nibble.program_id
      %t = nibble.load %x[%pid] : <N x f16> -> <B x f16>
    ```
    becomes, with `config=B=32,N%32`,
    ```mlir
    nibble.kernel @k sizes [N multiple_of 32] grid [N by 32] (%x: !nibble.matrix<N x f16>) {
      %pid = nibble.program_id
      %t = nibble.load %x[%pid] : <N x f16> -> <32 x f16>
    ```
  }];
  let options = [
    Option<"config", "config", "std::string", /*default=*/"\"\"",
           "The configuration, as in KernelConfig.h, words set apart by ','">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

#endif // NIBBLE_TRANSFORMS_PASSES_TD
