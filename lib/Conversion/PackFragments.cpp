//===- Conversion/PackFragments.cpp - Words in the packed order -----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// nibble.pack_fragments, word by word: which codes a word has follows from the
// layout of a unit, at which bits from its codec.
//
//===----------------------------------------------------------------------===//

#include "Conversion/TileEvaluator.h"
#include "Layout/PackedOrder.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::ir;
using layout::PackedOrder;

/// `place` as the images of its bits under a map that is made of fields: a
/// division, a remainder and a product for each field that ends in `output`.
/// All are by powers of two.
static Position imageOf(ValueBuilder &b, ArrayRef<layout::BitField> fields,
                        StringRef output,
                        const llvm::StringMap<Position> &place) {
  Position sum;
  for (const layout::BitField &field : fields)
    if (auto found = place.find(field.input);
        found != place.end() && field.output == output)
      sum = sum + found->second.dividedBy(b, int64_t(1) << field.inputBit)
                      .remainder(b, int64_t(1) << field.width)
                      .times(int64_t(1) << field.outputBit);
  return sum;
}

FailureOr<Value> TileEvaluator::packFragments(PackFragmentsOp op,
                                              const Position &row,
                                              const Position &column) {
  auto codes = cast<TileType>(op.getCodes().getType());
  PackedOrder order(
      static_cast<int>(cast<CodeType>(codes.getElementType()).getBits()));
  // A permutation of bits, so the image is the sum of its fields.
  std::vector<layout::BitField> fields = *order.unit().fields();
  Position inUnit = column.remainder(b, PackedOrder::unitWords);
  llvm::StringMap<Position> place;
  place["lane"] = inUnit.dividedBy(b, PackedOrder::laneWords);
  place["word"] = inUnit.remainder(b, PackedOrder::laneWords);
  Position firstRow =
      row.times(order.unitRows()) + imageOf(b, fields, "k", place);
  Position firstColumn = column.dividedBy(b, PackedOrder::unitWords)
                             .times(PackedOrder::unitColumns) +
                         imageOf(b, fields, "n", place);
  auto number = [](const layout::Coordinates &from, StringRef name) {
    return static_cast<int64_t>(layout::coordinate(from, name));
  };
  Value word;
  for (int64_t slot = 0; slot < order.codesPerWord(); ++slot) {
    layout::Coordinates inWord = {{"slot", static_cast<uint64_t>(slot)}};
    layout::Coordinates code = order.unit()(inWord);
    FailureOr<Value> found =
        one(op.getCodes(), firstRow + Position(number(code, "k")),
            firstColumn + Position(number(code, "n")), /*lanes=*/1);
    if (failed(found))
      return failure();
    Value placed = b.make<arith::ShLIOp>(
        *found, b.i32(number(order.codec()(inWord), "bit")));
    word = word ? b.make<arith::OrIOp>(word, placed) : placed;
  }
  return word;
}
