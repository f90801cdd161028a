//===- FragmentCodesTest.cpp - Packed words to fragments, run on the CPU --===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is built for tensor cores is run here operation by operation, with the
// numbers of fp16 and bf16, and held against the codes that the words hold.
//
//===----------------------------------------------------------------------===//

#include "Conversion/FragmentCodes.h"
#include "Support/Half.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinOps.h"
#include "nibble/Codec.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>
#include <gtest/gtest.h>
#include <optional>
#include <random>

using namespace mlir;
using namespace nibble;
using layout::PackedOrder;

namespace {

/// The elements of a value, bit by bit: one of a scalar.
using Bits = SmallVector<uint64_t>;

/// Runs operations that have one result and no effects.
class Interpreter {
public:
  void set(Value value, uint64_t bits) { known[value] = {bits}; }

  const Bits &run(Value value) {
    auto found = known.find(value);
    if (found != known.end())
      return found->second;
    SmallVector<Bits> operands;
    for (Value operand : value.getDefiningOp()->getOperands())
      operands.push_back(run(operand));
    return known[value] = result(value.getDefiningOp(), operands);
  }

private:
  static int width(Type type) {
    return static_cast<int>(getElementTypeOrSelf(type).getIntOrFloatBitWidth());
  }

  static APFloat number(uint64_t bits, Type type) {
    auto element = cast<FloatType>(getElementTypeOrSelf(type));
    return APFloat(element.getFloatSemantics(),
                   APInt(element.getWidth(), bits));
  }

  /// Element by element, with one rounding.
  template <typename F>
  static Bits floats(Operation *op, ArrayRef<Bits> operands, F compute) {
    Type from = op->getOperand(0).getType(), to = op->getResult(0).getType();
    Bits results;
    for (size_t i = 0; i < operands[0].size(); ++i) {
      SmallVector<APFloat> numbers;
      for (const Bits &operand : operands)
        numbers.push_back(number(operand[i], from));
      APFloat computed = compute(numbers);
      bool exact;
      computed.convert(
          cast<FloatType>(getElementTypeOrSelf(to)).getFloatSemantics(),
          APFloat::rmNearestTiesToEven, &exact);
      results.push_back(computed.bitcastToAPInt().getZExtValue());
    }
    return results;
  }

  /// lop3.b32 $0, a, b, c, table;
  static uint64_t lop3(StringRef text, ArrayRef<Bits> operands) {
    EXPECT_TRUE(text.consume_front("lop3.b32 $0, ") && text.consume_back(";"));
    SmallVector<StringRef> parts;
    text.split(parts, ", ");
    EXPECT_EQ(parts.size(), 4u);
    uint64_t inputs[4];
    for (auto [part, input] : llvm::zip_equal(parts, inputs)) {
      unsigned operand;
      if (part.consume_front("$")) {
        EXPECT_FALSE(part.getAsInteger(10, operand));
        input = operands[operand - 1][0];
      } else
        EXPECT_FALSE(part.getAsInteger(0, input));
    }
    uint64_t word = 0;
    for (int bit = 0; bit < 32; ++bit) {
      uint64_t row = (inputs[0] >> bit & 1) * 4 + (inputs[1] >> bit & 1) * 2 +
                     (inputs[2] >> bit & 1);
      word |= (inputs[3] >> row & 1) << bit;
    }
    return word;
  }

  static Bits result(Operation *op, ArrayRef<Bits> in) {
    using F = ArrayRef<APFloat>;
    constexpr auto nearest = APFloat::rmNearestTiesToEven;
    auto with = [&](auto compute) { return floats(op, in, compute); };
    return TypeSwitch<Operation *, Bits>(op)
        .Case([&](arith::ConstantOp constant) -> Bits {
          if (auto word = dyn_cast<IntegerAttr>(constant.getValue()))
            return {word.getValue().getZExtValue()};
          Bits elements;
          for (const APFloat &each :
               cast<DenseElementsAttr>(constant.getValue())
                   .getValues<APFloat>())
            elements.push_back(each.bitcastToAPInt().getZExtValue());
          return elements;
        })
        .Case([&](arith::ShRUIOp) -> Bits { return {in[0][0] >> in[1][0]}; })
        .Case([&](LLVM::FshrOp) -> Bits {
          return {(in[0][0] << 32 | in[1][0]) >> in[2][0] & 0xffffffff};
        })
        .Case([&](LLVM::InlineAsmOp assembly) -> Bits {
          EXPECT_FALSE(assembly.getHasSideEffects());
          return {lop3(assembly.getAsmString(), in)};
        })
        .Case([&](NVVM::PermuteOp) -> Bits {
          uint64_t bytes = in[1][0] << 32 | in[0][0], word = 0;
          for (int i = 0; i < 4; ++i)
            word |= (bytes >> 8 * (in[2][0] >> 4 * i & 7) & 0xff) << 8 * i;
          return {word};
        })
        .Case([&](LLVM::BitcastOp cast) -> Bits {
          Bits elements;
          for (int bit = 0; bit < 32; bit += width(cast.getType()))
            elements.push_back(in[0][0] >> bit &
                               ((uint64_t(1) << width(cast.getType())) - 1));
          return elements;
        })
        .Case([&](vector::ShuffleOp shuffle) -> Bits {
          Bits all = in[0];
          all.append(in[1]);
          return llvm::map_to_vector<4>(shuffle.getMask(),
                                        [&](int64_t i) { return all[i]; });
        })
        .Case([&](vector::ExtractOp extract) -> Bits {
          return {in[0][extract.getStaticPosition()[0]]};
        })
        .Case<arith::ExtFOp, arith::TruncFOp>(
            [&](auto) { return with([](F f) { return f[0]; }); })
        .Case([&](arith::NegFOp) { return with([](F f) { return -f[0]; }); })
        .Case([&](arith::AddFOp) {
          return with([](F f) { return f[0] + f[1]; });
        })
        .Case([&](arith::SubFOp) {
          return with([](F f) { return f[0] - f[1]; });
        })
        .Case([&](arith::MulFOp) {
          return with([](F f) { return f[0] * f[1]; });
        })
        .Case([&](math::FmaOp) {
          return with([](F f) {
            APFloat product = f[0];
            product.fusedMultiplyAdd(f[1], f[2], nearest);
            return product;
          });
        })
        .Case([&](arith::CmpFOp compare) -> Bits {
          EXPECT_EQ(compare.getPredicate(), arith::CmpFPredicate::ORD);
          Bits ordered;
          Type type = compare.getLhs().getType();
          for (size_t i = 0; i < in[0].size(); ++i)
            ordered.push_back(!number(in[0][i], type).isNaN() &&
                              !number(in[1][i], type).isNaN());
          return ordered;
        })
        .Case([&](arith::SelectOp) -> Bits {
          Bits chosen;
          for (size_t i = 0; i < in[0].size(); ++i)
            chosen.push_back(in[in[0][i] ? 1 : 2][i]);
          return chosen;
        })
        .Default([](Operation *other) -> Bits {
          ADD_FAILURE() << other->getName().getStringRef().str()
                        << " is not known to the interpreter";
          return {0, 0};
        });
  }

  DenseMap<Value, Bits> known;
};

/// The fragments of one unit for one lane, built once.
struct Unit {
  Unit(MLIRContext &context, int bits, bool bf16, bool scaled)
      : order(bits), builder(atStart(context), UnknownLoc::get(&context)) {
    Type element = bf16 ? Type(BFloat16Type::get(&context))
                        : Type(Float16Type::get(&context));
    FragmentCodes codes(builder, bits, element);
    Type i32 = IntegerType::get(&context, 32);
    for (int64_t i = 0; i < order.laneWords() + 2; ++i)
      block.addArgument(i32, builder.getLoc());
    group = {block.getArgument(order.laneWords()),
             block.getArgument(order.laneWords() + 1)};
    SmallVector<Value> words(
        block.getArguments().take_front(order.laneWords()));
    for (int64_t step = 0; step < order.unitRows() / 16; ++step)
      for (Value each : codes.fragment(words, step, group, scaled))
        registers.push_back(each);
    for (bool upper : {false, true})
      scales[upper] = codes.scaleAsFloat(group, upper);
  }

  OpBuilder atStart(MLIRContext &context) {
    OpBuilder made(&context);
    made.setInsertionPointToStart(&block);
    return made;
  }

  PackedOrder order;
  Block block;
  ValueBuilder builder;
  FragmentCodes::Group group;
  /// Four a step.
  SmallVector<Value> registers;
  Value scales[2];
};

class Fragments : public testing::Test {
protected:
  Fragments() {
    context
        .loadDialect<arith::ArithDialect, LLVM::LLVMDialect, math::MathDialect,
                     NVVM::NVVMDialect, vector::VectorDialect>();
  }

  /// All codes of a lane with the zero points `zeros`, against their words;
  /// with the scale `given` for column r, if there is one.
  void expectExact(Unit &unit, int bits, bool bf16, bool scaled,
                   const int (&zeros)[2],
                   std::optional<float> given = std::nullopt) {
    Interpreter run;
    std::vector<uint32_t> codes(unit.order.laneCodes());
    std::vector<uint32_t> words(unit.order.laneWords());
    for (uint32_t &code : codes)
      code = static_cast<uint32_t>(random()) & ((1u << bits) - 1);
    int64_t first = 0;
    for (const PackedOrder::Plane &plane : unit.order.planes()) {
      for (int64_t i = 0; i < unit.order.laneCodes(); ++i)
        words[first + i / plane.codesPerWord()] |=
            (codes[i] >> plane.firstBit & ((1u << plane.width) - 1))
            << plane.bitOf(i);
      first += plane.laneWords;
    }
    for (auto [argument, word] : llvm::zip(unit.block.getArguments(), words))
      run.set(argument, word);
    std::uniform_real_distribution<float> scale(0.002f, 0.02f);
    uint16_t scales[2] = {floatToHalf(given ? *given : scale(random)),
                          floatToHalf(scale(random))};
    run.set(unit.group.scales, scales[0] | uint32_t(scales[1]) << 16);
    run.set(unit.group.zeros,
            floatToHalf(static_cast<float>(zeros[0])) |
                uint32_t(floatToHalf(static_cast<float>(zeros[1]))) << 16);
    for (bool upper : {false, true})
      EXPECT_EQ(run.run(unit.scales[upper])[0],
                std::bit_cast<uint32_t>(halfToFloat(scales[upper])));
    for (size_t r = 0; r < unit.registers.size(); ++r) {
      const Bits &pair = run.run(unit.registers[r]);
      ASSERT_EQ(pair.size(), 2u);
      // Register 1 and 3 of a step are column r + 8, 2 and 3 are k + 8.
      size_t index = r / 4 * 8 + r % 2 * 2 + r / 2 % 2 * 4;
      for (size_t i = 0; i < 2; ++i) {
        auto exact = static_cast<float>(static_cast<int>(codes[index + i]) -
                                        zeros[r % 2]);
        if (scaled)
          exact *= halfToFloat(scales[r % 2]); // at most 20 bits
        if (std::isnan(exact)) {
          EXPECT_TRUE(
              std::isnan(bf16 ? bfloatToFloat(pair[i]) : halfToFloat(pair[i])));
          continue;
        }
        EXPECT_EQ(pair[i], bf16 ? floatToBfloat(exact) : floatToHalf(exact))
            << bits << " bits, index " << index + i << ", code "
            << codes[index + i] << ", zero points " << zeros[0] << " "
            << zeros[1];
      }
    }
  }

  MLIRContext context;
  std::mt19937 random{std::random_device{}()};
};

TEST_F(Fragments, AreCodesLessZeroPoints) {
  for (int bits : Codec::widths)
    for (bool bf16 : {false, true})
      for (bool scaled : {false, true}) {
        Unit unit(context, bits, bf16, scaled);
        int most = (1 << bits) - 1;
        for (int zero = 0; zero <= most; zero += bits == 8 ? 15 : 1)
          expectExact(unit, bits, bf16, scaled, {zero, most - zero});
        // The largest and the least, and what is no number.
        for (float scale : {65504.f, 0x1p-24f, 0x1.ffcp-15f, INFINITY, NAN})
          if (scaled && (bf16 || scale < 1 || !std::isfinite(scale)))
            expectExact(unit, bits, bf16, scaled, {1, 2}, scale);
      }
}

} // namespace
