//===- Nibble/Ops.cpp - Syntax and verification of the operations ---------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One verifier for each real constraint; every message names the constraint
// and the value that breaks it.
//
//===----------------------------------------------------------------------===//

#include "Nibble/ExtentSyntax.h"
#include "Nibble/Nibble.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::ir;

//===----------------------------------------------------------------------===//
// Custom pieces of syntax
//===----------------------------------------------------------------------===//

static ParseResult parseName(OpAsmParser &parser, StringAttr &name) {
  StringRef keyword;
  if (parser.parseKeyword(&keyword))
    return failure();
  name = parser.getBuilder().getStringAttr(keyword);
  return success();
}

static void printName(OpAsmPrinter &printer, Operation *, StringAttr name) {
  printer << name.getValue();
}

static void printExtent(OpAsmPrinter &printer, Operation *, ExtentAttr extent) {
  printer << extent.getText();
}

static ParseResult parseAxis(OpAsmParser &parser, IntegerAttr &axis) {
  int64_t value;
  if (parser.parseInteger(value))
    return failure();
  axis = parser.getBuilder().getI64IntegerAttr(value);
  return success();
}

static void printAxis(OpAsmPrinter &printer, Operation *, IntegerAttr axis) {
  printer << axis.getInt();
}

static ParseResult parseNumber(OpAsmParser &parser, FloatAttr &number) {
  double value;
  if (parser.parseFloat(value))
    return failure();
  number = parser.getBuilder().getF64FloatAttr(value);
  return success();
}

static void printNumber(OpAsmPrinter &printer, Operation *, FloatAttr number) {
  printer.printFloat(number.getValue());
}

/// Codes and zero points have one type, which is written once.
static ParseResult parseCodesAndScales(OpAsmParser &parser, Type &codes,
                                       Type &zeros, Type &scales) {
  if (parser.parseType(codes) || parser.parseComma() ||
      parser.parseType(scales))
    return failure();
  zeros = codes;
  return success();
}

static void printCodesAndScales(OpAsmPrinter &printer, Operation *, Type codes,
                                Type, Type scales) {
  printer << codes << ", " << scales;
}

#define GET_OP_CLASSES
#include "Nibble/NibbleOps.cpp.inc"

//===----------------------------------------------------------------------===//
// Names of the kernel
//===----------------------------------------------------------------------===//

/// The kernel around `op`, or null with an error.
static KernelOp kernelOf(Operation *op) {
  auto kernel = op->getParentOfType<KernelOp>();
  if (!kernel)
    op->emitOpError("must be inside a nibble.kernel");
  return kernel;
}

LogicalResult ParamOp::verify() {
  KernelOp kernel = kernelOf(*this);
  if (kernel && !kernel.findParam(getName()))
    return emitOpError() << "'" << getName() << "' is not a parameter of '@"
                         << kernel.getSymName() << "'";
  return success(kernel);
}

LogicalResult SizeOp::verify() {
  KernelOp kernel = kernelOf(*this);
  if (kernel && !kernel.findSize(getName()))
    return emitOpError() << "'" << getName() << "' is not a size of '@"
                         << kernel.getSymName() << "'";
  return success(kernel);
}

LogicalResult TileCountOp::verify() { return success(kernelOf(*this)); }

LogicalResult ProgramIdOp::verify() { return success(kernelOf(*this)); }

LogicalResult TileOrderOp::verify() {
  KernelOp kernel = kernelOf(*this);
  if (kernel && kernel.getGrid().size() != 2)
    return emitOpError() << "needs a grid of two dimensions, kernel '@"
                         << kernel.getSymName() << "' has "
                         << kernel.getGrid().size();
  return success(kernel);
}

LogicalResult RowGroupOp::verify() {
  auto type = cast<TileType>(getTile().getType());
  if (type.getRank() != 1)
    return emitOpError() << "gives one group a row: expected a tile with one "
                            "extent, got "
                         << type;
  return success(kernelOf(*this));
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// Checks that `tile` can name a part of `matrix` with that many coordinates.
static LogicalResult verifyAccess(Operation *op, MatrixType matrix,
                                  TileType tile, size_t coordinates) {
  if (!kernelOf(op))
    return failure();
  if (matrix.getRank() != tile.getRank())
    return op->emitOpError() << "tile " << tile << " and matrix " << matrix
                             << " differ in their number of extents";
  if (coordinates != static_cast<size_t>(matrix.getRank()))
    return op->emitOpError() << "expected " << matrix.getRank()
                             << " coordinates, got " << coordinates;
  if (matrix.getElementType() != tile.getElementType())
    return op->emitOpError() << "tile " << tile << " and matrix " << matrix
                             << " differ in their element type";
  return success();
}

LogicalResult LoadOp::verify() {
  if (getPadding() && !getTile().getType().getElementType().isInteger(32))
    return emitOpError() << "padding is for i32 elements, not "
                         << getTile().getType().getElementType();
  return verifyAccess(*this, getMatrix().getType(), getTile().getType(),
                      getCoordinates().size());
}

LogicalResult StoreOp::verify() {
  return verifyAccess(*this, getMatrix().getType(), getTile().getType(),
                      getCoordinates().size());
}

/// Checks that `tile` holds what `numbers` name along `dim` of `matrix`: a row
/// or a column for each.
static LogicalResult verifyGather(Operation *op, MatrixType matrix,
                                  Type numbers, TileType tile, int64_t dim) {
  StringRef what = dim == 0 ? "row" : "column";
  auto named = cast<TileType>(numbers);
  if (named.getRank() != 1)
    return op->emitOpError()
           << what << " numbers are a tile with one extent, got " << named;
  if (failed(verifyAccess(op, matrix, tile, matrix.getRank())))
    return failure();
  if (tile.getRank() != 2)
    return op->emitOpError()
           << "gathers " << what << "s of a matrix with two extents, got "
           << matrix;
  if (tile.getShape()[dim] != named.getShape()[0])
    return op->emitOpError()
           << "gives " << tile.getShape()[dim].getText() << " " << what
           << "s for " << named.getShape()[0].getText() << " " << what
           << " numbers";
  return success();
}

LogicalResult GatherOp::verify() {
  return verifyGather(*this, getMatrix().getType(), getRows().getType(),
                      getTile().getType(), /*dim=*/0);
}

LogicalResult GatherColumnsOp::verify() {
  return verifyGather(*this, getMatrix().getType(), getColumns().getType(),
                      getTile().getType(), /*dim=*/1);
}

//===----------------------------------------------------------------------===//
// Packed integers
//===----------------------------------------------------------------------===//

/// Checks words against codes: along `axis`, width bits a code without gaps.
static LogicalResult verifyPacking(Operation *op, TileType words,
                                   TileType codes, int64_t axis) {
  if (words.getRank() != codes.getRank())
    return op->emitOpError() << "words " << words << " and codes " << codes
                             << " differ in their number of extents";
  if (axis < 0 || axis >= codes.getRank())
    return op->emitOpError()
           << "axis " << axis << " is not a dimension of " << codes;
  auto code = dyn_cast<CodeType>(codes.getElementType());
  if (!code)
    return op->emitOpError() << "expected a tile of codes, got " << codes;
  if (std::optional<int64_t> width = code.getWidth().asInteger();
      width && !Codec::takes(*width))
    return op->emitOpError()
           << "codes of " << *width << " bits are not packed; "
           << Codec::widthsText << " are";
  for (int64_t dim = 0; dim < codes.getRank(); ++dim) {
    Extent expected = codes.getShape()[dim].getExtent();
    if (dim == axis) {
      std::optional<Extent> packed =
          expected.times(code.getWidth().getExtent());
      if (packed)
        packed = packed->dividedBy(Extent::constant(32));
      if (!packed)
        return op->emitOpError("extent does not fit 64 bits");
      expected = *packed;
    }
    if (expected != words.getShape()[dim].getExtent())
      return op->emitOpError()
             << "codes " << codes << " along " << axis << " need "
             << expected.str() << " words in dimension " << dim << ", not "
             << words.getShape()[dim].getText();
  }
  return success();
}

LogicalResult UnpackOp::verify() {
  return verifyPacking(*this, cast<TileType>(getWords().getType()),
                       cast<TileType>(getCodes().getType()), getAxis());
}

LogicalResult PackOp::verify() {
  return verifyPacking(*this, cast<TileType>(getWords().getType()),
                       cast<TileType>(getCodes().getType()), getAxis());
}

/// A unit has 16 columns, and 256 rows of codes of one bit, 128 of 2 and 3 and
/// so on. Where the width is still a name, so may be the rows of a unit: the
/// words are as many then as the codes fill.
LogicalResult PackFragmentsOp::verify() {
  KernelOp kernel = kernelOf(*this);
  if (!kernel)
    return failure();
  auto codes = cast<TileType>(getCodes().getType());
  auto words = cast<TileType>(getWords().getType());
  for (TileType type : {codes, words})
    if (type.getRank() != 2)
      return emitOpError() << "expected tiles with two extents, got " << type;
  ExtentAttr width = cast<CodeType>(codes.getElementType()).getWidth();
  std::optional<int64_t> bits = width.asInteger();
  if (bits && !Codec::takes(*bits))
    return emitOpError() << "codes of " << *bits
                         << " bits have no order of fragments; "
                         << Codec::widthsText << " do";
  if (kernel.knownDivisor(codes.getShape()[1]) % 16 != 0)
    return emitOpError() << "needs whole units of 16 columns, but "
                         << codes.getShape()[1].getText()
                         << " is not known to be a multiple of 16";
  std::optional<Extent> rows = words.getShape()[0].getExtent();
  if (bits)
    rows = codes.getShape()[0].getExtent().dividedBy(
        Extent::constant(256 / llvm::bit_floor(static_cast<uint64_t>(*bits))));
  auto columns = codes.getShape()[0].getExtent().times(width.getExtent());
  if (columns)
    columns = columns->times(codes.getShape()[1].getExtent());
  if (columns)
    columns = columns->dividedBy(Extent::constant(32));
  if (columns && rows)
    columns = columns->dividedBy(*rows);
  if (!rows || !columns)
    return emitOpError("extent does not fit 64 bits");
  if (*rows != words.getShape()[0].getExtent() ||
      *columns != words.getShape()[1].getExtent())
    return emitOpError() << "codes " << codes << " need " << rows->str()
                         << " x " << columns->str() << " words, not "
                         << words.getShape()[0].getText() << " x "
                         << words.getShape()[1].getText();
  return success();
}

LogicalResult DequantizeOp::verify() {
  auto codes = cast<TileType>(getCodes().getType());
  auto zeros = cast<TileType>(getZeros().getType());
  auto scales = cast<TileType>(getScales().getType());
  auto weights = cast<TileType>(getWeights().getType());
  if (codes != zeros)
    return emitOpError() << "codes " << codes << " and zero points " << zeros
                         << " differ";
  if (codes.getShape() != scales.getShape())
    return emitOpError() << "scales " << scales
                         << " do not have the extents of codes " << codes;
  if (codes.getShape() != weights.getShape())
    return emitOpError() << "weights " << weights
                         << " do not have the extents of codes " << codes;
  return success();
}

//===----------------------------------------------------------------------===//
// Arithmetic on tiles
//===----------------------------------------------------------------------===//

LogicalResult RoundOp::verify() {
  auto from = cast<TileType>(getValue().getType());
  auto to = cast<TileType>(getResult().getType());
  if (from.getShape() != to.getShape())
    return emitOpError() << "changes extents: from " << from << " to " << to;
  return success();
}

LogicalResult DotOp::verify() {
  auto lhs = cast<TileType>(getLhs().getType());
  auto rhs = cast<TileType>(getRhs().getType());
  auto acc = cast<TileType>(getAcc().getType());
  for (TileType type : {lhs, rhs, acc})
    if (type.getRank() != 2)
      return emitOpError() << "expected tiles with two extents, got " << type;
  if (lhs.getElementType() != rhs.getElementType())
    return emitOpError() << "operands " << lhs << " and " << rhs
                         << " differ in their element type";
  if (!acc.getElementType().isF32())
    return emitOpError() << "accumulates in f32, not in "
                         << acc.getElementType();
  if (lhs.getShape()[1] != rhs.getShape()[0])
    return emitOpError() << "sums over " << lhs.getShape()[1].getText()
                         << " columns of " << lhs << " but "
                         << rhs.getShape()[0].getText() << " rows of " << rhs;
  if (lhs.getShape()[0] != acc.getShape()[0] ||
      rhs.getShape()[1] != acc.getShape()[1])
    return emitOpError() << "accumulator " << acc << " is not "
                         << lhs.getShape()[0].getText() << " x "
                         << rhs.getShape()[1].getText();
  return success();
}

LogicalResult BroadcastOp::verify() {
  auto row = cast<TileType>(getRow().getType());
  auto tile = cast<TileType>(getTile().getType());
  if (row.getRank() != 1 || tile.getRank() != 2 ||
      row.getShape()[0] != tile.getShape()[1] ||
      row.getElementType() != tile.getElementType())
    return emitOpError() << "cannot repeat " << row << " for every row of "
                         << tile;
  return success();
}
