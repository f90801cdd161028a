#include "Nibble/Nibble.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "Transforms/Passes.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registry.insert<nibble::ir::NibbleDialect, mlir::scf::SCFDialect, mlir::arith::ArithDialect>();
  nibble::registerNibbleTransformsPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "nibble-opt", registry));
}
