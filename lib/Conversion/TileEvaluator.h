//===- Conversion/TileEvaluator.h - Elements of tiles, on demand ----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A schedule decides who computes which elements of what a kernel stores. What
// those elements are follows from the kernel alone: the evaluator walks from a
// tile back through the operations that define it and builds the code for the
// elements it is asked for, in vectors of neighbours along a row.
//
// Asked for elements (i, j) and (i, j + 1) of `nibble.dequantize`, it asks the
// codes, zero points and scales for the same elements; `nibble.unpack` asks
// for the word that holds them; `nibble.load` computes the word's address and
// reads it. A loop that carries a tile becomes a loop that carries the elements
// asked for. A schedule may put another source in the place of a tile: elements
// that it staged in shared memory or that the tensor cores left in registers.
//
// Masks are part of the meaning of loads. They are built only where the sizes
// are not known to be whole tiles, and as selections rather than branches: an
// element outside the matrix is read from its first address and then dropped.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_CONVERSION_TILEEVALUATOR_H
#define NIBBLE_CONVERSION_TILEEVALUATOR_H

#include "Conversion/Position.h"
#include "Conversion/ValueBuilder.h"
#include "Layout/PackedOrder.h"
#include "Nibble/Nibble.h"
#include "mlir/IR/IRMapping.h"

namespace nibble {

/// What differs between the schedules that evaluate tiles.
struct EvaluatorOptions {
  /// The address space of the kernel's matrices: 0 on the host, 1 on a GPU.
  unsigned addressSpace = 0;
  /// Compute f16 tiles in f16 rather than in f32 with the same roundings.
  bool nativeHalf = false;
  /// Keep a dequantized weight in f32 where it is used in f32: more exact than
  /// the kernel asks for, and cheaper.
  bool excessPrecision = false;
};

/// Builds the elements of the tiles of one kernel.
class TileEvaluator {
public:
  /// Elements of a tile at rows x columns, row by row; each is a vector of
  /// `lanes` neighbours along the columns, or a scalar if lanes is 1.
  using Elements = mlir::SmallVector<mlir::Value>;
  using Positions = llvm::ArrayRef<Position>;
  using Source = std::function<mlir::FailureOr<Elements>(
      Positions rows, Positions columns, int lanes)>;

  /// `words` gives the value (i64 or pointer) of each word of the kernel's
  /// signature; `program` is the program's number.
  TileEvaluator(ir::KernelOp kernel, ValueBuilder &builder,
                mlir::ValueRange words, mlir::Value program,
                const EvaluatorOptions &options);

  /// The elements of `tile`. Fails with an error on the operation that stands
  /// in the way.
  mlir::FailureOr<Elements> evaluate(mlir::Value tile, Positions rows,
                                     Positions columns, int lanes);

  /// Writes elements of what `store` stores.
  mlir::LogicalResult store(ir::StoreOp store, Positions rows,
                            Positions columns, int lanes);

  /// Takes the elements of `tile` from `source` from now on.
  void bind(mlir::Value tile, Source source) {
    sources[tile] = std::move(source);
  }
  /// Undoes bind.
  void unbind(mlir::Value tile) { sources.erase(tile); }
  /// Takes `built` for the scalar `value` of the kernel.
  void map(mlir::Value value, mlir::Value built) { scalars[value] = built; }
  /// The value of a scalar of the kernel, built if need be.
  mlir::FailureOr<mlir::Value> scalar(mlir::Value value);

  /// The number of elements of a row that may be read or written at once, at
  /// most `limit`: a power of two that divides every row of every matrix and
  /// tile that `tile` is computed from.
  int usableLanes(mlir::Value tile, int limit);
  /// The same for the tile that `store` writes, and the matrix it goes to.
  int usableLanes(ir::StoreOp store, int limit);

  /// How many consecutive rows of `tile` are unpacked from words of their own;
  /// 1 if nothing is unpacked along rows.
  int64_t rowsPerWord(mlir::Value tile);

  /// How many rows (dim 0) or columns (dim 1) of a store's tile lie in the
  /// matrix: the whole extent, or less in the last tile.
  mlir::FailureOr<mlir::Value> extentInside(ir::StoreOp store, int dim);

  /// The type that elements of `tile` are computed in.
  mlir::Type elementType(ir::TileType tile, int lanes);
  /// `value` converted to `element` (a scalar type), with one rounding.
  mlir::Value convert(mlir::Value value, mlir::Type element);
  ValueBuilder &builder() { return b; }

  /// The value of `extent`, an expression over sizes.
  mlir::Value sizeValue(ir::ExtentAttr extent);

  /// The words of a launch that belong to a matrix; strides that it lacks are
  /// null.
  struct Matrix {
    mlir::Value address, rowStride, columnStride;
  };
  const Matrix &matrix(mlir::Value argument) const {
    return matrices[mlir::cast<mlir::BlockArgument>(argument).getArgNumber()];
  }

private:
  /// One coordinate of an access: where in the matrix an element lies along a
  /// dimension, and whether it is inside (null: always).
  struct Coordinate {
    Position position;
    mlir::Value inside;
  };

  mlir::FailureOr<Elements> evaluateOp(mlir::Operation *op, Positions rows,
                                       Positions columns, int lanes);
  mlir::FailureOr<Elements> evaluateDot(ir::DotOp op, Positions rows,
                                        Positions columns, int lanes);
  mlir::FailureOr<Elements> evaluateLoop(mlir::scf::ForOp op, unsigned result,
                                         Positions rows, Positions columns,
                                         int lanes);
  mlir::FailureOr<mlir::Value> load(ir::LoadOp op, const Position &row,
                                    const Position &column, int lanes);
  mlir::FailureOr<mlir::Value> gather(ir::GatherOp op, const Position &row,
                                      const Position &column, int lanes);
  mlir::FailureOr<mlir::Value> gatherColumns(ir::GatherColumnsOp op,
                                             const Position &row,
                                             const Position &column);
  mlir::FailureOr<mlir::Value> rowGroup(ir::RowGroupOp op,
                                        const Position &position);
  mlir::FailureOr<mlir::Value> unpack(ir::UnpackOp op, const Position &row,
                                      const Position &column, int lanes);
  mlir::FailureOr<mlir::Value> pack(ir::PackOp op, const Position &row,
                                    const Position &column, int lanes);
  /// `amount` as an operand of a shift of `type`, i32 or a vector of it.
  mlir::Value asShift(const Position &amount, mlir::Type type);
  mlir::FailureOr<mlir::Value> packFragments(ir::PackFragmentsOp op,
                                             const Position &row,
                                             const Position &column);
  /// The word at (row, column) of packed words, which is one of `plane`.
  mlir::FailureOr<mlir::Value>
  packPlane(ir::PackFragmentsOp op, const layout::PackedOrder &order,
            const layout::PackedOrder::Plane &plane, const Position &row,
            const Position &column);
  /// i32 codes as i16.
  mlir::Value narrow(mlir::Value words);
  /// A vector of i16 codes as i32 that hold two each; other codes as they are.
  mlir::Value asPairs(mlir::Value codes);
  /// 2^23 + code in f32, or 1024 + code in f16, as `type` asks.
  mlir::Value codeAsNumber(mlir::Value code, mlir::Type type);
  mlir::Value dequantize(ir::DequantizeOp op, mlir::Value code,
                         mlir::Value zero, mlir::Value scale);

  mlir::FailureOr<mlir::Value> one(mlir::Value tile, const Position &row,
                                   const Position &column, int lanes);
  mlir::FailureOr<Coordinate> locate(mlir::Value coordinate, int64_t tileExtent,
                                     ir::ExtentAttr size,
                                     const Position &within, int lanes);
  mlir::FailureOr<Coordinate> locateRow(mlir::ValueRange coordinates,
                                        ir::TileType tile,
                                        ir::MatrixType matrix,
                                        const Position &row);
  bool alwaysInside(mlir::Value coordinate, int64_t tileExtent,
                    ir::ExtentAttr size);
  mlir::FailureOr<Coordinate>
  numbered(mlir::Value numbers, const Position &index, ir::ExtentAttr size);
  mlir::Value address(const Matrix &matrix, mlir::Type element,
                      const Position *row, const Position &column,
                      mlir::Value inside);
  mlir::Value both(mlir::Value a, mlir::Value b);
  unsigned alignment(unsigned argument, mlir::Type element,
                     const Position &column, int lanes);
  mlir::Value read(mlir::Value matrix, const Coordinate *down,
                   const Coordinate &across, int lanes, int64_t padding,
                   ir::TileType tile);
  mlir::Type vectorOf(mlir::Type element, int lanes);

  ir::KernelOp kernel;
  ValueBuilder &b;
  EvaluatorOptions options;
  /// Codes are held in 16 bits, two to a register of a GPU.
  bool narrowCodes;
  mlir::SmallVector<Matrix> matrices;
  llvm::StringMap<mlir::Value> sizes;
  llvm::DenseMap<mlir::Value, Source> sources;
  llvm::DenseMap<mlir::Value, mlir::Value> scalars;
};

} // namespace nibble

#endif // NIBBLE_CONVERSION_TILEEVALUATOR_H
