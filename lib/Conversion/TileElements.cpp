//===- Conversion/TileElements.cpp - Operations element by element --------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The part of the evaluator that reads and writes memory, takes codes out of
// words and turns them into numbers.
//
//===----------------------------------------------------------------------===//

#include "Conversion/TileEvaluator.h"
#include <numeric>

using namespace mlir;
using namespace nibble;
using namespace nibble::ir;

//===----------------------------------------------------------------------===//
// Places in memory
//===----------------------------------------------------------------------===//

Value TileEvaluator::both(Value a, Value b2) {
  if (!a || !b2)
    return a ? a : b2;
  return b.make<arith::AndIOp>(a, b2);
}

bool TileEvaluator::alwaysInside(Value coordinate, int64_t tileExtent,
                                 ExtentAttr size) {
  if (kernel.knownDivisor(size) % tileExtent == 0)
    return true;
  // A coordinate of the grid names a tile that holds at least one element.
  if (tileExtent != 1)
    return false;
  unsigned dim = 0;
  if (auto order = coordinate.getDefiningOp<TileOrderOp>())
    dim = coordinate == order.getColumn();
  else if (!coordinate.getDefiningOp<ProgramIdOp>() ||
           kernel.getGrid().size() != 1)
    return false;
  auto cut = cast<GridDimAttr>(kernel.getGrid()[dim]);
  return cut.getSize() == size && cut.getBlock().asInteger() == 1;
}

FailureOr<TileEvaluator::Coordinate>
TileEvaluator::locate(Value coordinate, int64_t tileExtent, ExtentAttr size,
                      const Position &within, int lanes) {
  FailureOr<Value> tile = scalar(coordinate);
  if (failed(tile))
    return failure();
  APInt number;
  Position base = matchPattern(*tile, m_ConstantInt(&number))
                      ? Position(number.getSExtValue() * tileExtent)
                      : Position::of(*tile, tileExtent, 0);
  Coordinate result{base + within, Value()};
  if (alwaysInside(coordinate, tileExtent, size))
    return result;
  // Neighbours in one unit are inside together, so they share the comparison.
  int64_t unit = std::gcd(kernel.knownDivisor(size), tileExtent);
  assert(unit % lanes == 0 && "a vector crosses the edge of a matrix");
  Position counted = result.position.dividedBy(b, unit);
  Value count = b.make<arith::DivUIOp>(sizeValue(size), b.index(unit));
  result.inside = b.make<arith::CmpIOp>(arith::CmpIPredicate::ult,
                                        counted.materialise(b), count);
  return result;
}

unsigned TileEvaluator::alignment(unsigned argument, Type element,
                                  const Position &column, int lanes) {
  int64_t bytes = element.getIntOrFloatBitWidth() / 8;
  int64_t known =
      std::gcd(kernel.getArgAlignment(argument), column.knownDivisor() * bytes);
  known = known & -known;
  return static_cast<unsigned>(
      std::min<int64_t>(std::max(known, bytes), lanes * bytes));
}

Value TileEvaluator::address(const Matrix &matrix, Type element,
                             const Position *row, const Position &column,
                             Value inside) {
  Value offset = column.withoutOffset().materialise(b);
  int64_t constant = column.getOffset();
  if (matrix.columnStride) {
    offset = b.make<arith::MulIOp>(column.materialise(b), matrix.columnStride);
    constant = 0;
  }
  if (row)
    offset = b.make<arith::AddIOp>(
        b.make<arith::MulIOp>(row->materialise(b), matrix.rowStride), offset);
  if (inside) {
    offset = b.make<arith::AddIOp>(offset, b.index(constant));
    constant = 0;
    offset = b.make<arith::SelectOp>(inside, offset, b.index(0));
  }
  Type pointer = matrix.address.getType();
  Value words = b.make<arith::IndexCastOp>(b.op().getI64Type(), offset);
  Value place = b.make<LLVM::GEPOp>(pointer, element, matrix.address,
                                    ArrayRef<LLVM::GEPArg>{words});
  if (constant == 0)
    return place;
  return b.make<LLVM::GEPOp>(
      pointer, element, place,
      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(constant)});
}

Value TileEvaluator::read(Value matrix, const Coordinate *down,
                          const Coordinate &across, int lanes, int64_t padding,
                          TileType tile) {
  unsigned argument = cast<BlockArgument>(matrix).getArgNumber();
  Type element = cast<MatrixType>(matrix.getType()).getElementType();
  Type type = vectorOf(element, lanes);
  Value inside = both(down ? down->inside : Value(), across.inside);
  Value place =
      address(matrices[argument], element, down ? &down->position : nullptr,
              across.position, inside);
  Value loaded = b.make<LLVM::LoadOp>(
      type, place, alignment(argument, element, across.position, lanes));
  if (inside)
    loaded = b.make<arith::SelectOp>(
        inside, loaded, b.splat(type, static_cast<double>(padding)));
  if (isa<FloatType>(element))
    loaded = convert(loaded, getElementTypeOrSelf(elementType(tile, 1)));
  return loaded;
}

/// Where row `row` of `tile` is in `matrix`; nowhere if they have no rows.
FailureOr<TileEvaluator::Coordinate>
TileEvaluator::locateRow(ValueRange coordinates, TileType tile,
                         MatrixType matrix, const Position &row) {
  if (tile.getRank() == 1)
    return Coordinate();
  return locate(coordinates[0], tile.getDim(0), matrix.getShape()[0], row, 1);
}

/// The row or column whose number is at `index` of `numbers`, of so many.
FailureOr<TileEvaluator::Coordinate>
TileEvaluator::numbered(Value numbers, const Position &index, ExtentAttr size) {
  FailureOr<Value> number = one(numbers, Position(), index, 1);
  if (failed(number))
    return failure();
  // As an unsigned number -1 is beyond every matrix.
  Value wide = b.make<arith::IndexCastUIOp>(b.op().getIndexType(), *number);
  Value known =
      b.make<arith::CmpIOp>(arith::CmpIPredicate::ult, wide, sizeValue(size));
  return Coordinate{Position::of(wide, 1, 0), known};
}

FailureOr<Value> TileEvaluator::load(LoadOp op, const Position &row,
                                     const Position &column, int lanes) {
  MatrixType matrix = op.getMatrix().getType();
  TileType tile = op.getTile().getType();
  int64_t last = tile.getRank() - 1;
  FailureOr<Coordinate> across =
      locate(op.getCoordinates()[last], tile.getDim(last),
             matrix.getShape()[last], column, lanes);
  if (failed(across))
    return failure();
  FailureOr<Coordinate> down =
      locateRow(op.getCoordinates(), tile, matrix, row);
  if (failed(down))
    return failure();
  return read(op.getMatrix(), last == 1 ? &*down : nullptr, *across, lanes,
              op.getPadding().value_or(0), tile);
}

FailureOr<Value> TileEvaluator::gather(GatherOp op, const Position &row,
                                       const Position &column, int lanes) {
  MatrixType matrix = op.getMatrix().getType();
  TileType tile = op.getTile().getType();
  FailureOr<Coordinate> across = locate(op.getColumn(), tile.getDim(1),
                                        matrix.getShape()[1], column, lanes);
  FailureOr<Coordinate> down =
      numbered(op.getRows(), row, matrix.getShape()[0]);
  if (failed(across) || failed(down))
    return failure();
  return read(op.getMatrix(), &*down, *across, lanes, /*padding=*/0, tile);
}

FailureOr<Value> TileEvaluator::gatherColumns(GatherColumnsOp op,
                                              const Position &row,
                                              const Position &column) {
  MatrixType matrix = op.getMatrix().getType();
  TileType tile = op.getTile().getType();
  FailureOr<Coordinate> down =
      locate(op.getRow(), tile.getDim(0), matrix.getShape()[0], row, 1);
  FailureOr<Coordinate> across =
      numbered(op.getColumns(), column, matrix.getShape()[1]);
  if (failed(across) || failed(down))
    return failure();
  return read(op.getMatrix(), &*down, *across, /*lanes=*/1, /*padding=*/0,
              tile);
}

LogicalResult TileEvaluator::store(StoreOp op, Positions rows,
                                   Positions columns, int lanes) {
  auto argument = cast<BlockArgument>(op.getMatrix()).getArgNumber();
  MatrixType matrix = op.getMatrix().getType();
  TileType tile = op.getTile().getType();
  FailureOr<Elements> elements = evaluate(op.getTile(), rows, columns, lanes);
  if (failed(elements))
    return failure();
  int64_t last = tile.getRank() - 1;
  size_t next = 0;
  for (const Position &row : rows)
    for (const Position &column : columns) {
      FailureOr<Coordinate> across =
          locate(op.getCoordinates()[last], tile.getDim(last),
                 matrix.getShape()[last], column, lanes);
      if (failed(across))
        return failure();
      FailureOr<Coordinate> down =
          locateRow(op.getCoordinates(), tile, matrix, row);
      if (failed(down))
        return failure();
      Value value = (*elements)[next++];
      if (isa<FloatType>(matrix.getElementType()))
        value = convert(value, matrix.getElementType());
      Value place = address(matrices[argument], matrix.getElementType(),
                            last == 1 ? &down->position : nullptr,
                            across->position, Value());
      unsigned align =
          alignment(argument, matrix.getElementType(), across->position, lanes);
      Value inside = both(down->inside, across->inside);
      if (!inside) {
        b.create<LLVM::StoreOp>(value, place, align);
        continue;
      }
      b.when(inside, [&] { b.create<LLVM::StoreOp>(value, place, align); });
    }
  return success();
}

FailureOr<Value> TileEvaluator::extentInside(StoreOp op, int dim) {
  TileType tile = op.getTile().getType();
  ExtentAttr size = op.getMatrix().getType().getShape()[dim];
  int64_t extent = tile.getDim(dim);
  Value coordinate = op.getCoordinates()[dim];
  if (alwaysInside(coordinate, extent, size))
    return b.index(extent);
  FailureOr<Value> tileNumber = scalar(coordinate);
  if (failed(tileNumber))
    return failure();
  Value first = b.make<arith::MulIOp>(*tileNumber, b.index(extent));
  // No less than 0 for a tile that lies beyond the matrix as a whole.
  Value left = b.make<arith::MaxSIOp>(
      b.make<arith::SubIOp>(sizeValue(size), first), b.index(0));
  return b.make<arith::MinUIOp>(left, b.index(extent));
}

//===----------------------------------------------------------------------===//
// Codes
//===----------------------------------------------------------------------===//

FailureOr<Value> TileEvaluator::rowGroup(RowGroupOp op,
                                         const Position &position) {
  int64_t extent = cast<TileType>(op.getTile().getType()).getDim(0);
  std::optional<int64_t> size = op.getGroupSize().asInteger();
  FailureOr<Coordinate> row =
      locate(op.getCoordinate(), extent, op.getRows(), position, 1);
  if (failed(row))
    return failure();
  Value group = b.make<arith::IndexCastOp>(
      b.op().getI32Type(), row->position.dividedBy(b, *size).materialise(b));
  if (row->inside)
    group = b.make<arith::SelectOp>(row->inside, group, b.i32(-1));
  return group;
}

FailureOr<Value> TileEvaluator::unpack(UnpackOp op, const Position &row,
                                       const Position &column, int lanes) {
  auto codes = cast<TileType>(op.getCodes().getType());
  Codec codec = cast<CodeType>(codes.getElementType()).getCodec();
  int64_t bits = codec.bits;
  Type type = vectorOf(b.op().getI32Type(), lanes);
  bool alongColumns = static_cast<int64_t>(op.getAxis()) == codes.getRank() - 1;
  // Neighbouring lanes along columns are neighbours in the stream of bits: the
  // first lane's code has `span` bits that are read together. Lanes are a power
  // of two and a vector starts at a multiple of them, so they fill whole words
  // or fit one, or one pair where codes may lie across words (usableLanes).
  int64_t span = alongColumns ? bits * lanes : bits;
  int wordLanes =
      alongColumns ? static_cast<int>(std::max<int64_t>(span / 32, 1)) : lanes;
  auto wordsAt = [&](const Position &word) {
    return alongColumns ? one(op.getWords(), row, word, wordLanes)
                        : one(op.getWords(), word, column, lanes);
  };
  Position bit = (alongColumns ? column : row).times(bits);
  Position first = bit.remainder(b, 32);
  FailureOr<Value> found = wordsAt(bit.dividedBy(b, 32));
  if (failed(found))
    return failure();
  Value words = *found;
  if (std::optional<int64_t> at = first.asNumber();
      codec.splits() && !(at && *at + span <= 32)) {
    // The word with the last bit is the same word or the next; rotating the
    // one, or shifting the pair, brings the first bit to bit 0.
    FailureOr<Value> last =
        wordsAt((bit + Position(span - 1)).dividedBy(b, 32));
    if (failed(last))
      return failure();
    Value amount = asShift(first, words.getType());
    words = b.make<LLVM::FshrOp>(*last, words, amount);
    first = Position();
  }
  Value shift;
  if (alongColumns && lanes > 1) {
    SmallVector<int64_t> source;
    SmallVector<int32_t> shifts;
    for (int lane = 0; lane < lanes; ++lane) {
      int64_t at = codec.splits() ? lane * bits : lane * bits % 32;
      source.push_back((lane * bits - at) / 32);
      shifts.push_back(static_cast<int32_t>(at));
    }
    if (wordLanes == 1)
      words = b.make<vector::BroadcastOp>(type, words);
    else
      words = b.make<vector::ShuffleOp>(words, words, source);
    shift = b.constant(
        DenseElementsAttr::get(cast<VectorType>(type), ArrayRef(shifts)));
  }
  std::optional<int64_t> number = first.asNumber();
  if (number && narrowCodes && !alongColumns && lanes % 2 == 0) {
    // The half of each word that has the code, two columns to a register: one
    // shift and one mask for two codes.
    int64_t start = *number % 16 + bits > 16 ? *number : *number / 16 * 16;
    Value half = narrow(b.make<arith::ShRUIOp>(
        words, b.splat(type, static_cast<double>(start))));
    Value pairs = asPairs(half);
    pairs = b.make<arith::ShRUIOp>(
        pairs, b.splat(pairs.getType(), static_cast<double>(*number - start)));
    int64_t low = codec.maxCode();
    pairs = b.make<arith::AndIOp>(
        pairs, b.splat(pairs.getType(), static_cast<double>(low << 16 | low)));
    return b.make<vector::BitCastOp>(half.getType(), pairs);
  }
  if (number != 0 || !shift) {
    Value base = asShift(first, type);
    shift = shift ? b.make<arith::AddIOp>(shift, base) : base;
  }
  Value mask = b.splat(type, static_cast<double>(codec.maxCode()));
  Value unpacked =
      b.make<arith::AndIOp>(b.make<arith::ShRUIOp>(words, shift), mask);
  return narrowCodes ? narrow(unpacked) : unpacked;
}

Value TileEvaluator::asShift(const Position &amount, Type type) {
  if (std::optional<int64_t> number = amount.asNumber())
    return b.splat(type, static_cast<double>(*number));
  Value value =
      b.make<arith::IndexCastOp>(b.op().getI32Type(), amount.materialise(b));
  return isa<VectorType>(type) ? b.make<vector::BroadcastOp>(type, value)
                               : value;
}

FailureOr<Value> TileEvaluator::pack(PackOp op, const Position &row,
                                     const Position &column, int lanes) {
  auto codes = cast<TileType>(op.getCodes().getType());
  int64_t bits = cast<CodeType>(codes.getElementType()).getBits();
  bool alongColumns = static_cast<int64_t>(op.getAxis()) == codes.getRank() - 1;
  assert((!alongColumns || lanes == 1) && "see usableLanes");
  // All codes that have bits of the word, side by side; those of the first code
  // that the word before has are shifted out, and what is beyond 32 bits is cut
  // off. Where that part is not known, one code more than there may be is
  // taken: the last again, whose second copy lies beyond.
  Position bit = (alongColumns ? column : row).times(32);
  Position first = bit.dividedBy(b, bits);
  Position last = (bit + Position(31)).dividedBy(b, bits);
  Position before = bit.remainder(b, bits);
  int64_t skipped = before.asNumber().value_or(bits - 1);
  int64_t count = llvm::divideCeil(32 + skipped, bits);
  Type word = b.op().getI32Type();
  Type wide = skipped ? Type(b.op().getI64Type()) : word;
  Value collected;
  for (int64_t i = 0; i < count; ++i) {
    Position place = i + 1 < count ? first + Position(i) : last;
    FailureOr<Value> code = alongColumns
                                ? one(op.getCodes(), row, place, lanes)
                                : one(op.getCodes(), place, column, lanes);
    if (failed(code))
      return failure();
    Value placed = *code;
    if (wide != word)
      placed = b.make<arith::ExtUIOp>(vectorOf(wide, lanes), placed);
    placed = b.make<arith::ShLIOp>(
        placed, b.splat(placed.getType(), static_cast<double>(i * bits)));
    collected = collected ? b.make<arith::OrIOp>(collected, placed) : placed;
  }
  if (wide == word)
    return collected;
  Value amount = b.make<arith::ExtUIOp>(collected.getType(),
                                        asShift(before, vectorOf(word, lanes)));
  return b.make<arith::TruncIOp>(vectorOf(word, lanes),
                                 b.make<arith::ShRUIOp>(collected, amount));
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

Value TileEvaluator::convert(Value value, Type element) {
  Type from = getElementTypeOrSelf(value.getType());
  if (from == element)
    return value;
  Type to = element;
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    to = VectorType::get(vector.getShape(), element);
  unsigned fromBits = from.getIntOrFloatBitWidth();
  unsigned toBits = element.getIntOrFloatBitWidth();
  if (fromBits == toBits) {
    // f16 <-> bf16: f32 holds both, so there is one rounding.
    return convert(convert(value, b.op().getF32Type()), element);
  }
  if (fromBits < toBits)
    return b.make<arith::ExtFOp>(to, value);
  return b.make<arith::TruncFOp>(to, value);
}

Value TileEvaluator::narrow(Value words) {
  Type i16 = b.op().getI16Type();
  if (auto vector = dyn_cast<VectorType>(words.getType()))
    return b.make<arith::TruncIOp>(VectorType::get(vector.getShape(), i16),
                                   words);
  return b.make<arith::TruncIOp>(i16, words);
}

Value TileEvaluator::asPairs(Value codes) {
  auto vector = dyn_cast<VectorType>(codes.getType());
  if (!vector || !vector.getElementType().isInteger(16) ||
      vector.getDimSize(0) % 2 != 0)
    return codes;
  return b.make<vector::BitCastOp>(
      VectorType::get({vector.getDimSize(0) / 2}, b.op().getI32Type()), codes);
}

Value TileEvaluator::codeAsNumber(Value code, Type type) {
  bool half = getElementTypeOrSelf(type).isF16();
  // fp16 1024 + code, fp32 2^23 + code: the code is the mantissa's low bits.
  int64_t exponent = half ? 0x6400 : 0x4B000000;
  if (half && getElementTypeOrSelf(code.getType()).isInteger(32))
    code = narrow(code);
  Value bits = half ? asPairs(code) : code;
  if (getElementTypeOrSelf(bits.getType()).isInteger(32) && half)
    exponent |= exponent << 16;
  bits = b.make<arith::OrIOp>(
      bits, b.splat(bits.getType(), static_cast<double>(exponent)));
  if (isa<VectorType>(type))
    return b.make<vector::BitCastOp>(cast<VectorType>(type), bits);
  return b.make<arith::BitcastOp>(type, bits);
}

Value TileEvaluator::dequantize(DequantizeOp op, Value code, Value zero,
                                Value scale) {
  auto codes = cast<TileType>(op.getCodes().getType());
  auto weights = cast<TileType>(op.getWeights().getType());
  int64_t bits = cast<CodeType>(codes.getElementType()).getBits();
  if (op.getStoredMinusOne()) {
    Value numbers = asPairs(zero);
    bool paired = numbers.getType() != zero.getType();
    auto each = [&](int64_t value) {
      return b.splat(numbers.getType(),
                     static_cast<double>(paired ? value << 16 | value : value));
    };
    Value next = b.make<arith::AddIOp>(numbers, each(1));
    next = b.make<arith::AndIOp>(next, each((int64_t(1) << bits) - 1));
    zero = paired ? b.make<vector::BitCastOp>(zero.getType(), next) : next;
  }
  if (!weights.getElementType().isF16())
    scale = convert(scale, b.op().getF32Type()); // or it would round twice
  // Both have the same exponent and their difference is below 2^8, so it is
  // exact, and the product is rounded once. Two operations instead of a
  // subtraction and a conversion, of which GPUs do few at a time.
  Value number = b.make<arith::SubFOp>(codeAsNumber(code, scale.getType()),
                                       codeAsNumber(zero, scale.getType()));
  Value weight = b.make<arith::MulFOp>(number, scale);
  if (options.excessPrecision)
    return weight;
  weight = convert(weight, weights.getElementType());
  return convert(weight, getElementTypeOrSelf(elementType(weights, 1)));
}
