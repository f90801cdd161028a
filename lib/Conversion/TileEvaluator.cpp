//===- Conversion/TileEvaluator.cpp - Elements of tiles, on demand --------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Control: which operation defines a tile, loops, dot products and scalars.
// TileElements.cpp has the operations that work element by element.
//
//===----------------------------------------------------------------------===//

#include "Conversion/TileEvaluator.h"
#include "Conversion/Interface.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/bit.h"
#include <numeric>

using namespace mlir;
using namespace nibble;
using namespace nibble::ir;

TileEvaluator::TileEvaluator(KernelOp kernel, ValueBuilder &builder,
                             ValueRange words, Value program,
                             const EvaluatorOptions &options)
    : kernel(kernel), b(builder), options(options) {
  KernelInterface interface = interfaceOf(kernel);
  matrices.resize(interface.matrices.size());
  for (auto [word, value] : llvm::zip(interface.words(), words)) {
    if (word.kind == KernelWord::Address) {
      matrices[word.index].address = value;
      continue;
    }
    Value number = b.make<arith::IndexCastOp>(b.op().getIndexType(), value);
    if (word.kind == KernelWord::RowStride)
      matrices[word.index].rowStride = number;
    else if (word.kind == KernelWord::ColumnStride)
      matrices[word.index].columnStride = number;
    else
      sizes[interface.sizes[word.index].name] = number;
  }
  kernel.walk([&](ProgramIdOp op) { scalars[op] = program; });
  narrowCodes = options.nativeHalf;
  kernel.walk([&](Operation *op) {
    if (auto dequantize = dyn_cast<DequantizeOp>(op))
      for (Type type : {dequantize.getScales().getType(),
                        dequantize.getWeights().getType()})
        narrowCodes &= cast<TileType>(type).getElementType().isF16();
    narrowCodes &= !isa<PackOp, PackFragmentsOp>(op);
  });
  // Built here, outside every loop, because all of the kernel uses them.
  kernel.walk([&](TileOrderOp op) { (void)scalar(op.getRow()); });
}

//===----------------------------------------------------------------------===//
// Scalars
//===----------------------------------------------------------------------===//

Value TileEvaluator::sizeValue(ExtentAttr extent) {
  if (std::optional<int64_t> number = extent.asInteger())
    return b.index(*number);
  Value sum;
  extent.getExtent().forEachTerm(
      [&](Extent::Ratio ratio, const Extent::Powers &powers) {
        // The verifier proved each monomial whole, so its division is exact.
        Value product = b.index(ratio.numerator);
        for (const auto &[name, power] : powers)
          for (int i = 0; i < power; ++i)
            product = b.make<arith::MulIOp>(sizes.lookup(name), product);
        if (ratio.denominator != 1)
          product = b.make<arith::DivUIOp>(product, b.index(ratio.denominator));
        sum = sum ? b.make<arith::AddIOp>(sum, product) : product;
      });
  return sum;
}

FailureOr<Value> TileEvaluator::scalar(Value value) {
  if (Value built = scalars.lookup(value))
    return built;
  Operation *op = value.getDefiningOp();
  if (!op)
    return emitError(value.getLoc(),
                     "a scalar of the kernel has no value here"),
           failure();
  if (auto size = dyn_cast<SizeOp>(op))
    return sizes.lookup(size.getName());
  if (auto count = dyn_cast<TileCountOp>(op))
    return Value(b.make<arith::CeilDivUIOp>(sizeValue(count.getSize()),
                                            sizeValue(count.getBlock())));
  if (auto order = dyn_cast<TileOrderOp>(op)) {
    FailureOr<Value> program = scalar(order.getProgram());
    if (failed(program))
      return failure();
    auto count = [&](unsigned dim) {
      auto cut = cast<GridDimAttr>(kernel.getGrid()[dim]);
      return b.make<arith::CeilDivUIOp>(sizeValue(cut.getSize()),
                                        sizeValue(cut.getBlock()));
    };
    Value rows = count(0), columns = count(1);
    // Band by band, column by column in a band; a band is `group` rows high.
    Value height = order.getGroup() ? sizeValue(*order.getGroup()) : b.index(1);
    Value perBand = b.make<arith::MulIOp>(columns, height);
    Value band = b.make<arith::DivUIOp>(*program, perBand);
    Value inBand = b.make<arith::RemUIOp>(*program, perBand);
    Value firstRow = b.make<arith::MulIOp>(band, height);
    Value here =
        b.make<arith::MinUIOp>(b.make<arith::SubIOp>(rows, firstRow), height);
    scalars[order.getRow()] =
        b.make<arith::AddIOp>(firstRow, b.make<arith::RemUIOp>(inBand, here));
    scalars[order.getColumn()] = b.make<arith::DivUIOp>(inBand, here);
    return scalars[value];
  }
  if (!isa<arith::ArithDialect>(op->getDialect()) || op->getNumRegions() ||
      op->getNumResults() != 1)
    return op->emitOpError("gives a scalar that no schedule can compute"),
           failure();
  IRMapping mapping;
  for (Value operand : op->getOperands()) {
    FailureOr<Value> built = scalar(operand);
    if (failed(built))
      return failure();
    mapping.map(operand, *built);
  }
  return b.op().clone(*op, mapping)->getResult(0);
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

Type TileEvaluator::vectorOf(Type element, int lanes) {
  return lanes == 1 ? element : VectorType::get({lanes}, element);
}

Type TileEvaluator::elementType(TileType tile, int lanes) {
  Type element = tile.getElementType();
  if (isa<CodeType>(element))
    element = narrowCodes ? b.op().getI16Type() : b.op().getI32Type();
  else if (isa<FloatType>(element) && !(options.nativeHalf && element.isF16()))
    element = b.op().getF32Type();
  return vectorOf(element, lanes);
}

FailureOr<TileEvaluator::Elements> TileEvaluator::evaluate(Value tile,
                                                           Positions rows,
                                                           Positions columns,
                                                           int lanes) {
  if (auto found = sources.find(tile); found != sources.end()) {
    // A copy: the source may bind other tiles, which moves the table.
    Source source = found->second;
    return source(rows, columns, lanes);
  }
  if (auto result = dyn_cast<OpResult>(tile)) {
    if (auto loop = dyn_cast<scf::ForOp>(result.getOwner()))
      return evaluateLoop(loop, result.getResultNumber(), rows, columns, lanes);
    return evaluateOp(result.getOwner(), rows, columns, lanes);
  }
  return emitError(tile.getLoc(), "a tile that the loop around it carries is "
                                  "used at other elements than it is computed "
                                  "at"),
         failure();
}

FailureOr<Value> TileEvaluator::one(Value tile, const Position &row,
                                    const Position &column, int lanes) {
  FailureOr<Elements> elements = evaluate(tile, row, column, lanes);
  if (failed(elements))
    return failure();
  return (*elements)[0];
}

FailureOr<TileEvaluator::Elements> TileEvaluator::evaluateOp(Operation *op,
                                                             Positions rows,
                                                             Positions columns,
                                                             int lanes) {
  if (auto dot = dyn_cast<DotOp>(op))
    return evaluateDot(dot, rows, columns, lanes);
  Elements result;
  // Memory and packing: each element on its own; what neighbours share is
  // built once all the same (ValueBuilder.h).
  if (isa<LoadOp, GatherOp, GatherColumnsOp, RowGroupOp, UnpackOp, PackOp,
          PackFragmentsOp>(op)) {
    for (const Position &row : rows)
      for (const Position &column : columns) {
        FailureOr<Value> value =
            TypeSwitch<Operation *, FailureOr<Value>>(op)
                .Case([&](LoadOp o) { return load(o, row, column, lanes); })
                .Case([&](GatherOp o) { return gather(o, row, column, lanes); })
                .Case([&](GatherColumnsOp o) {
                  return gatherColumns(o, row, column);
                })
                .Case([&](RowGroupOp o) { return rowGroup(o, column); })
                .Case([&](UnpackOp o) { return unpack(o, row, column, lanes); })
                .Case([&](PackOp o) { return pack(o, row, column, lanes); })
                .Case([&](PackFragmentsOp o) {
                  return packFragments(o, row, column);
                });
        if (failed(value))
          return failure();
        result.push_back(*value);
      }
    return result;
  }
  if (auto splat = dyn_cast<SplatOp>(op)) {
    Type type = elementType(cast<TileType>(splat.getType()), lanes);
    result.assign(rows.size() * columns.size(),
                  b.splat(type, splat.getValue().convertToDouble()));
    return result;
  }
  if (auto broadcast = dyn_cast<BroadcastOp>(op)) {
    FailureOr<Elements> row =
        evaluate(broadcast.getRow(), Position(), columns, lanes);
    if (failed(row))
      return failure();
    for (size_t i = 0; i < rows.size(); ++i)
      llvm::append_range(result, *row);
    return result;
  }
  if (!isa<RoundOp, AddOp, DequantizeOp>(op))
    return op->emitOpError("gives a tile that no schedule can compute"),
           failure();
  // Element by element from the operands.
  SmallVector<Elements, 3> operands;
  for (Value operand : op->getOperands()) {
    FailureOr<Elements> elements = evaluate(operand, rows, columns, lanes);
    if (failed(elements))
      return failure();
    operands.push_back(std::move(*elements));
  }
  for (size_t i = 0, e = rows.size() * columns.size(); i < e; ++i) {
    if (auto round = dyn_cast<RoundOp>(op)) {
      auto to = cast<TileType>(round.getType());
      // Through the type that the kernel names, so that it rounds there.
      Value rounded = convert(operands[0][i], to.getElementType());
      result.push_back(
          convert(rounded, getElementTypeOrSelf(elementType(to, 1))));
    } else if (isa<AddOp>(op)) {
      result.push_back(b.make<arith::AddFOp>(operands[0][i], operands[1][i]));
    } else {
      result.push_back(dequantize(cast<DequantizeOp>(op), operands[0][i],
                                  operands[1][i], operands[2][i]));
    }
  }
  return result;
}

FailureOr<TileEvaluator::Elements>
TileEvaluator::evaluateLoop(scf::ForOp op, unsigned number, Positions rows,
                            Positions columns, int lanes) {
  if (op.getNumRegionIterArgs() != 1)
    return op->emitOpError() << "carries " << op.getNumRegionIterArgs()
                             << " values; schedules take loops that carry one "
                                "tile",
           failure();
  FailureOr<Value> lower = scalar(op.getLowerBound()),
                   upper = scalar(op.getUpperBound()),
                   step = scalar(op.getStep());
  FailureOr<Elements> initial =
      evaluate(op.getInitArgs()[number], rows, columns, lanes);
  if (failed(lower) || failed(upper) || failed(step) || failed(initial))
    return failure();
  auto loop = b.create<scf::ForOp>(*lower, *upper, *step, *initial);
  if (!loop.getBody()->empty())
    loop.getBody()->back().erase();
  Value carried = op.getRegionIterArgs()[number];
  SmallVector<Position> ownRows(rows), ownColumns(columns);
  FailureOr<Elements> next = failure();
  b.inBlock(loop.getBody(), [&] {
    map(op.getInductionVar(), loop.getInductionVar());
    bind(carried, [&](Positions r, Positions c, int l) -> FailureOr<Elements> {
      if (r != Positions(ownRows) || c != Positions(ownColumns) || l != lanes)
        return op->emitOpError("carries a tile that its body uses at other "
                               "elements than it yields"),
               failure();
      return Elements(loop.getRegionIterArgs());
    });
    next = evaluate(op.getBody()->getTerminator()->getOperand(number), rows,
                    columns, lanes);
    unbind(carried);
    if (succeeded(next))
      b.create<scf::YieldOp>(*next);
  });
  if (failed(next))
    return failure();
  return Elements(loop.getResults());
}

FailureOr<TileEvaluator::Elements> TileEvaluator::evaluateDot(DotOp op,
                                                              Positions rows,
                                                              Positions columns,
                                                              int lanes) {
  FailureOr<Elements> initial = evaluate(op.getAcc(), rows, columns, lanes);
  if (failed(initial))
    return failure();
  int64_t extent = cast<TileType>(op.getLhs().getType()).getDim(1);
  int64_t unroll = std::gcd(rowsPerWord(op.getRhs()), extent);
  if (unroll == 1)
    unroll = std::gcd<int64_t>(4, extent);
  auto step = [&](const Position &base, ValueRange carried,
                  LogicalResult &status) {
    Elements sums(carried);
    Type f32 = vectorOf(b.op().getF32Type(), lanes);
    for (int64_t k = 0; k < unroll; ++k) {
      Position inner = base + Position(k);
      FailureOr<Elements> left = evaluate(op.getLhs(), rows, inner, 1);
      FailureOr<Elements> right = evaluate(op.getRhs(), inner, columns, lanes);
      if (failed(left) || failed(right)) {
        status = failure();
        return sums;
      }
      for (size_t i = 0; i < rows.size(); ++i)
        for (size_t j = 0; j < columns.size(); ++j) {
          Value a = convert((*left)[i], b.op().getF32Type());
          if (lanes != 1)
            a = b.make<vector::BroadcastOp>(f32, a);
          Value w = convert((*right)[j], b.op().getF32Type());
          Value &sum = sums[i * columns.size() + j];
          sum = b.make<math::FmaOp>(a, w, sum);
        }
    }
    return sums;
  };
  LogicalResult status = success();
  if (extent == unroll) {
    Elements sums = step(Position(), *initial, status);
    return failed(status) ? FailureOr<Elements>(failure()) : sums;
  }
  Elements sums =
      b.loop(b.index(extent / unroll), 1, *initial,
             [&](Value counter, ValueRange carried) {
               return step(Position::of(counter, unroll, extent / unroll),
                           carried, status);
             });
  if (failed(status))
    return failure();
  return sums;
}

//===----------------------------------------------------------------------===//
// What a schedule may choose
//===----------------------------------------------------------------------===//

int64_t TileEvaluator::rowsPerWord(Value tile) {
  Operation *op = tile.getDefiningOp();
  if (auto unpack = dyn_cast_or_null<UnpackOp>(op)) {
    auto codes = cast<TileType>(unpack.getCodes().getType());
    if (unpack.getAxis() == 0 && codes.getRank() == 2)
      return cast<CodeType>(codes.getElementType()).getCodec().unitCodes();
  }
  int64_t most = 1;
  if (isa_and_nonnull<RoundOp, AddOp, DequantizeOp, UnpackOp>(op))
    for (Value operand : op->getOperands())
      most = std::max(most, rowsPerWord(operand));
  return most;
}

int TileEvaluator::usableLanes(StoreOp store, int limit) {
  MatrixType matrix = store.getMatrix().getType();
  TileType tile = store.getTile().getType();
  if (matrix.getStrided())
    return 1;
  int64_t known = kernel.knownDivisor(matrix.getShape().back());
  if (known % tile.getDim(tile.getRank() - 1) != 0)
    limit = static_cast<int>(std::gcd<int64_t>(limit, known));
  return usableLanes(store.getTile(), limit);
}

int TileEvaluator::usableLanes(Value tile, int limit) {
  auto type = cast<TileType>(tile.getType());
  int64_t lanes = std::gcd<int64_t>(limit, type.getDim(type.getRank() - 1));
  // Every load along the way, with the columns of `tile` that a column of its
  // matrix stands for.
  using Scale = Extent::Ratio;
  SmallVector<std::pair<Value, Scale>> work = {{tile, {1, 1}}};
  llvm::DenseSet<Value> seen;
  while (!work.empty()) {
    auto [value, scale] = work.pop_back_val();
    if (!isa<TileType>(value.getType()) || !seen.insert(value).second)
      continue;
    Operation *op = value.getDefiningOp();
    if (!op)
      continue; // what a loop carries: its initial value is looked at
    auto restrict = [&](MatrixType matrix, int64_t tileExtent) {
      ExtentAttr columns = matrix.getShape().back();
      int64_t known = kernel.knownDivisor(columns);
      if (known % tileExtent != 0)
        lanes =
            known * scale.numerator % scale.denominator == 0
                ? std::gcd(lanes, known * scale.numerator / scale.denominator)
                : 1;
      if (matrix.getStrided())
        lanes = 1;
    };
    TypeSwitch<Operation *>(op)
        .Case([&](LoadOp load) {
          TileType loaded = load.getTile().getType();
          restrict(load.getMatrix().getType(),
                   loaded.getDim(loaded.getRank() - 1));
        })
        .Case([&](GatherOp gather) {
          restrict(gather.getMatrix().getType(),
                   gather.getTile().getType().getDim(1));
        })
        .Case([&](UnpackOp unpack) {
          auto codes = cast<TileType>(unpack.getCodes().getType());
          if (static_cast<int64_t>(unpack.getAxis()) != codes.getRank() - 1) {
            work.push_back({unpack.getWords(), scale});
            return;
          }
          Codec codec = cast<CodeType>(codes.getElementType()).getCodec();
          work.push_back(
              {unpack.getWords(),
               {scale.numerator * 32, scale.denominator * codec.bits}});
          // Codes that may lie across words are taken from one pair of words.
          if (codec.splits())
            lanes = std::gcd<int64_t>(lanes, llvm::bit_floor(32u / codec.bits));
        })
        .Case([&](PackOp pack) {
          auto codes = cast<TileType>(pack.getCodes().getType());
          if (static_cast<int64_t>(pack.getAxis()) == codes.getRank() - 1)
            lanes = 1;
          else
            work.push_back({pack.getCodes(), scale});
        })
        .Case<GatherColumnsOp, PackFragmentsOp>([&](Operation *) { lanes = 1; })
        .Case([&](DotOp dot) {
          // The left operand is read along its own columns, one at a time.
          work.push_back({dot.getRhs(), scale});
          work.push_back({dot.getAcc(), scale});
        })
        .Case([&](scf::ForOp loop) {
          for (Value init : loop.getInitArgs())
            work.push_back({init, scale});
          for (Value yielded : loop.getBody()->getTerminator()->getOperands())
            work.push_back({yielded, scale});
        })
        .Case<RoundOp, AddOp, DequantizeOp, BroadcastOp>([&](Operation *other) {
          for (Value operand : other->getOperands())
            work.push_back({operand, scale});
        });
  }
  return static_cast<int>(lanes);
}
