//===- Conversion/PackFragments.cpp - Words in the packed order -----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// nibble.pack_fragments, word by word: which codes a word has follows from the
// layout of a unit, which bits of them and where from its codec.
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

FailureOr<Value> TileEvaluator::packPlane(PackFragmentsOp op,
                                          const PackedOrder &order,
                                          const PackedOrder::Plane &plane,
                                          const Position &row,
                                          const Position &column) {
  // A permutation of bits, so the image is the sum of its fields.
  std::vector<layout::BitField> fields = *order.unit().fields();
  int64_t planeWords = 32 * plane.laneWords;
  assert(plane.firstWord % planeWords == 0);
  Position inPlane =
      column.remainder(b, order.unitWords()).remainder(b, planeWords);
  llvm::StringMap<Position> place;
  place["lane"] = inPlane.dividedBy(b, plane.laneWords);
  place["index"] =
      inPlane.remainder(b, plane.laneWords).times(plane.codesPerWord());
  Position firstRow =
      row.times(order.unitRows()) + imageOf(b, fields, "k", place);
  Position firstColumn =
      column.dividedBy(b, order.unitWords()).times(PackedOrder::unitColumns) +
      imageOf(b, fields, "n", place);
  Value word;
  for (int64_t index = 0; index < plane.codesPerWord(); ++index) {
    layout::Coordinates code =
        order.unit()({{"index", static_cast<uint64_t>(index)}});
    auto number = [&](StringRef name) {
      return Position(static_cast<int64_t>(layout::coordinate(code, name)));
    };
    FailureOr<Value> found = one(op.getCodes(), firstRow + number("k"),
                                 firstColumn + number("n"), /*lanes=*/1);
    if (failed(found))
      return failure();
    Value bits = *found;
    if (order.planes().size() > 1)
      bits = b.make<arith::AndIOp>(
          b.make<arith::ShRUIOp>(bits, b.i32(plane.firstBit)),
          b.i32((int64_t(1) << plane.width) - 1));
    Value placed = b.make<arith::ShLIOp>(bits, b.i32(plane.bitOf(index)));
    word = word ? b.make<arith::OrIOp>(word, placed) : placed;
  }
  return word;
}

FailureOr<Value> TileEvaluator::packFragments(PackFragmentsOp op,
                                              const Position &row,
                                              const Position &column) {
  auto codes = cast<TileType>(op.getCodes().getType());
  PackedOrder order(
      static_cast<int>(cast<CodeType>(codes.getElementType()).getBits()));
  const std::vector<PackedOrder::Plane> &planes = order.planes();
  if (planes.size() == 1)
    return packPlane(op, order, planes[0], row, column);
  // Threads of a warp mostly make words of the same plane.
  assert(planes.size() == 2);
  Value inUnit = column.remainder(b, order.unitWords()).materialise(b);
  auto choice = b.create<scf::IfOp>(
      TypeRange(b.op().getI32Type()),
      b.make<arith::CmpIOp>(arith::CmpIPredicate::ult, inUnit,
                            b.index(planes[1].firstWord)),
      /*withElseRegion=*/true);
  LogicalResult result = success();
  for (auto [plane, block] : {std::pair(planes[0], choice.thenBlock()),
                              std::pair(planes[1], choice.elseBlock())})
    b.inBlock(block, [&, plane = plane] {
      FailureOr<Value> word = packPlane(op, order, plane, row, column);
      if (failed(word))
        result = failure();
      else
        b.create<scf::YieldOp>(*word);
    });
  if (failed(result))
    return failure();
  return choice.getResult(0);
}
