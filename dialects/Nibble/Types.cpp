//===- Nibble/Types.cpp - The dialect, its attributes and its types -------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Syntax and verification of attributes and types. An extent is parsed into
// its normal form at once, so that types compare as pointers.
//
//===----------------------------------------------------------------------===//

#include "Nibble/ExtentSyntax.h"
#include "Nibble/Nibble.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nibble::ir;

#include "Nibble/NibbleDialect.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "Nibble/NibbleAttrs.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "Nibble/NibbleTypes.cpp.inc"

void NibbleDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "Nibble/NibbleAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "Nibble/NibbleTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "Nibble/NibbleOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Extents
//===----------------------------------------------------------------------===//

namespace {

/// Numbers above this are refused, so that sums and products of extents in a
/// type stay far inside 64 bits.
constexpr int64_t maxNumber = int64_t(1) << 31;

/// A recursive-descent parser of extents; nesting is bounded because a text
/// may come from a stranger.
class ExtentParser {
public:
  explicit ExtentParser(AsmParser &parser) : parser(parser) {}

  ParseResult parseSum(Extent &result) {
    if (++depth > 64)
      return parser.emitError(parser.getCurrentLocation(),
                              "extent is nested more than 64 deep");
    bool negative = succeeded(parseOptionalMinus());
    if (parseProduct(result))
      return failure();
    if (negative && combine(Extent().minus(result), result))
      return failure();
    while (true) {
      bool minus = false;
      if (failed(parseOptionalPlus())) {
        if (failed(parseOptionalMinus()))
          break;
        minus = true;
      }
      Extent term;
      if (parseProduct(term) ||
          combine(minus ? result.minus(term) : result.plus(term), result))
        return failure();
    }
    --depth;
    return success();
  }

private:
  ParseResult parseProduct(Extent &result) {
    if (parseFactor(result))
      return failure();
    while (true) {
      Extent factor;
      if (succeeded(parser.parseOptionalStar())) {
        if (parseFactor(factor) || combine(result.times(factor), result))
          return failure();
        continue;
      }
      SMLoc loc = parser.getCurrentLocation();
      if (failed(parseOptionalSlash()))
        return success();
      if (parseFactor(factor))
        return failure();
      std::optional<Extent> quotient = result.dividedBy(factor);
      if (!quotient)
        return parser.emitError(loc)
               << "cannot divide by '" << factor.str()
               << "': a divisor is one product, not 0, and powers end at 64";
      result = *quotient;
    }
  }

  ParseResult parseFactor(Extent &result) {
    if (succeeded(parser.parseOptionalLParen()))
      return failure(parseSum(result) || parser.parseRParen());
    int64_t number;
    SMLoc loc = parser.getCurrentLocation();
    OptionalParseResult parsed = parser.parseOptionalInteger(number);
    if (parsed.has_value()) {
      if (failed(*parsed))
        return failure();
      if (number < 0 || number > maxNumber)
        return parser.emitError(loc)
               << "number " << number << " in an extent is not in [0, 2^31]";
      result = Extent::constant(number);
      return success();
    }
    StringRef name;
    if (failed(parser.parseOptionalKeyword(&name)))
      return parser.emitError(loc, "expected a name, a number or '(' in an "
                                   "extent");
    if (name == "x" || name == "by")
      return parser.emitError(loc)
             << "'" << name << "' is a word of the syntax, not a name";
    result = Extent::name(name);
    return success();
  }

  ParseResult combine(std::optional<Extent> value, Extent &into) {
    if (!value)
      return parser.emitError(parser.getCurrentLocation(),
                              "extent does not fit 64 bits, 64 terms and "
                              "powers of 64");
    into = std::move(*value);
    return success();
  }

  ParseResult parseOptionalPlus() { return parser.parseOptionalPlus(); }
  ParseResult parseOptionalMinus() { return parser.parseOptionalMinus(); }
  ParseResult parseOptionalSlash() { return parser.parseOptionalSlash(); }

  AsmParser &parser;
  int depth = 0;
};

/// The element types that memory and tiles may hold.
bool isElementType(Type type) {
  return type.isF16() || type.isBF16() || type.isF32() || type.isInteger(32) ||
         isa<CodeType, NamedType>(type);
}

/// Reads the inside of a tile or matrix: extents and an element type, set
/// apart by `x`. A name in last place is an element type.
ParseResult parseShape(AsmParser &parser, SmallVector<ExtentAttr> &shape,
                       Type &element) {
  while (true) {
    SMLoc loc = parser.getCurrentLocation();
    OptionalParseResult type = parser.parseOptionalType(element);
    if (type.has_value()) {
      if (failed(*type))
        return failure();
      if (shape.empty())
        return parser.emitError(loc, "expected an extent before the element "
                                     "type, as in 'BLOCK_M x f16'");
      return success();
    }
    ExtentAttr extent;
    if (parseExtent(parser, extent))
      return failure();
    if (succeeded(parser.parseOptionalKeyword("x"))) {
      shape.push_back(extent);
      continue;
    }
    if (!extent.getExtent().isName() || shape.empty())
      return parser.emitError(
          parser.getCurrentLocation(),
          "expected ' x ' (with spaces) and an element type");
    element = NamedType::get(parser.getContext(), extent.getText());
    return success();
  }
}

void printElement(AsmPrinter &printer, Type element) {
  if (auto named = dyn_cast<NamedType>(element))
    printer << named.getName();
  else
    printer << element;
}

void printShape(AsmPrinter &printer, ArrayRef<ExtentAttr> shape, Type element) {
  for (ExtentAttr extent : shape)
    printer << extent.getText() << " x ";
  printElement(printer, element);
}

LogicalResult verifyShape(function_ref<InFlightDiagnostic()> emitError,
                          ArrayRef<ExtentAttr> shape, Type element) {
  if (shape.empty() || shape.size() > 2)
    return emitError() << "expected one or two extents, got " << shape.size();
  for (ExtentAttr extent : shape)
    if (std::optional<int64_t> number = extent.asInteger();
        number && *number < 1)
      return emitError() << "extent " << *number << " is not positive";
  if (!isElementType(element))
    return emitError() << "element type " << element
                       << " is not f16, bf16, f32, i32, a code or a name";
  return success();
}

} // namespace

ParseResult nibble::ir::parseExtent(AsmParser &parser, ExtentAttr &extent) {
  Extent value;
  if (ExtentParser(parser).parseSum(value))
    return failure();
  extent = ExtentAttr::get(parser.getContext(), value);
  return success();
}

Attribute ExtentAttr::parse(AsmParser &parser, Type) {
  ExtentAttr extent;
  if (parser.parseLess() || parseExtent(parser, extent) ||
      parser.parseGreater())
    return {};
  return extent;
}

void ExtentAttr::print(AsmPrinter &printer) const {
  printer << "<" << getText() << ">";
}

std::optional<int64_t> ExtentAttr::asInteger() const {
  int64_t value;
  if (getText().getAsInteger(10, value))
    return std::nullopt;
  return value;
}

Extent ExtentAttr::getExtent() const {
  // The text is a normal form that this dialect wrote: a sum of products of
  // names and numbers, each with divisors behind it.
  if (std::optional<int64_t> number = asInteger())
    return Extent::constant(*number);
  Extent total, term = Extent::constant(1);
  bool negative = false, divide = false, open = false;
  auto closeTerm = [&] {
    if (open)
      total = negative ? *total.minus(term) : *total.plus(term);
    term = Extent::constant(1);
    divide = false;
  };
  StringRef rest = getText();
  while (!rest.empty()) {
    auto [word, after] = rest.split(' ');
    rest = after;
    if (word == "+" || word == "-") {
      closeTerm();
      negative = word == "-";
      continue;
    }
    if (word == "*" || word == "/") {
      divide = word == "/";
      continue;
    }
    if (word.consume_front("-"))
      negative = true;
    open = true;
    int64_t number;
    Extent factor = word.getAsInteger(10, number) ? Extent::name(word)
                                                  : Extent::constant(number);
    term = divide ? *term.dividedBy(factor) : *term.times(factor);
  }
  closeTerm();
  return total;
}

//===----------------------------------------------------------------------===//
// Declarations
//===----------------------------------------------------------------------===//

ParseResult nibble::ir::parseParam(AsmParser &parser, ParamAttr &param) {
  StringRef name;
  if (parser.parseKeyword(&name))
    return failure();
  ExtentAttr multipleOf =
      ExtentAttr::get(parser.getContext(), Extent::constant(1));
  if (succeeded(parser.parseOptionalKeyword("multiple_of")) &&
      parseExtent(parser, multipleOf))
    return failure();
  SmallVector<int64_t> choices;
  if (succeeded(parser.parseOptionalKeyword("one_of")) &&
      parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
        return parser.parseInteger(choices.emplace_back());
      }))
    return failure();
  param = ParamAttr::get(parser.getContext(), name, multipleOf, choices);
  return success();
}

void nibble::ir::printParam(AsmPrinter &printer, ParamAttr param) {
  printer << param.getName();
  if (param.getMultipleOf().asInteger() != 1)
    printer << " multiple_of " << param.getMultipleOf().getText();
  if (!param.getChoices().empty()) {
    printer << " one_of [";
    llvm::interleaveComma(param.getChoices(), printer);
    printer << "]";
  }
}

ParseResult nibble::ir::parseTypeParam(AsmParser &parser,
                                       TypeParamAttr &param) {
  StringRef name;
  SmallVector<Type> choices;
  if (parser.parseKeyword(&name) || parser.parseKeyword("one_of") ||
      parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
        return parser.parseType(choices.emplace_back());
      }))
    return failure();
  param = TypeParamAttr::get(parser.getContext(), name, choices);
  return success();
}

void nibble::ir::printTypeParam(AsmPrinter &printer, TypeParamAttr param) {
  printer << param.getName() << " one_of [";
  llvm::interleaveComma(param.getChoices(), printer);
  printer << "]";
}

ParseResult nibble::ir::parseGridDim(AsmParser &parser, GridDimAttr &dim) {
  ExtentAttr size, block;
  if (parseExtent(parser, size) || parser.parseKeyword("by") ||
      parseExtent(parser, block))
    return failure();
  dim = GridDimAttr::get(parser.getContext(), size, block);
  return success();
}

void nibble::ir::printGridDim(AsmPrinter &printer, GridDimAttr dim) {
  printer << dim.getSize().getText() << " by " << dim.getBlock().getText();
}

/// Wraps one of the parsers above in `<...>`.
template <typename AttrT>
static Attribute
parseInAngles(AsmParser &parser,
              function_ref<ParseResult(AsmParser &, AttrT &)> parse) {
  AttrT attr;
  if (parser.parseLess() || parse(parser, attr) || parser.parseGreater())
    return {};
  return attr;
}

Attribute ParamAttr::parse(AsmParser &parser, Type) {
  return parseInAngles<ParamAttr>(parser, parseParam);
}
void ParamAttr::print(AsmPrinter &printer) const {
  printer << "<";
  printParam(printer, *this);
  printer << ">";
}
Attribute TypeParamAttr::parse(AsmParser &parser, Type) {
  return parseInAngles<TypeParamAttr>(parser, parseTypeParam);
}
void TypeParamAttr::print(AsmPrinter &printer) const {
  printer << "<";
  printTypeParam(printer, *this);
  printer << ">";
}
Attribute GridDimAttr::parse(AsmParser &parser, Type) {
  return parseInAngles<GridDimAttr>(parser, parseGridDim);
}
void GridDimAttr::print(AsmPrinter &printer) const {
  printer << "<";
  printGridDim(printer, *this);
  printer << ">";
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

Type TileType::parse(AsmParser &parser) {
  SmallVector<ExtentAttr> shape;
  Type element;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parseShape(parser, shape, element) ||
      parser.parseGreater())
    return {};
  return getChecked([&] { return parser.emitError(loc); }, parser.getContext(),
                    shape, element);
}

void TileType::print(AsmPrinter &printer) const {
  printer << "<";
  printShape(printer, getShape(), getElementType());
  printer << ">";
}

LogicalResult TileType::verify(function_ref<InFlightDiagnostic()> emitError,
                               ArrayRef<ExtentAttr> shape, Type element) {
  return verifyShape(emitError, shape, element);
}

bool TileType::isStatic() const {
  return llvm::all_of(getShape(), [](ExtentAttr extent) {
    return extent.asInteger().has_value();
  });
}

Type MatrixType::parse(AsmParser &parser) {
  SmallVector<ExtentAttr> shape;
  Type element;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parseShape(parser, shape, element))
    return {};
  bool strided = false;
  if (succeeded(parser.parseOptionalComma())) {
    if (parser.parseKeyword("strided"))
      return {};
    strided = true;
  }
  if (parser.parseGreater())
    return {};
  return getChecked([&] { return parser.emitError(loc); }, parser.getContext(),
                    shape, element, strided);
}

void MatrixType::print(AsmPrinter &printer) const {
  printer << "<";
  printShape(printer, getShape(), getElementType());
  if (getStrided())
    printer << ", strided";
  printer << ">";
}

LogicalResult MatrixType::verify(function_ref<InFlightDiagnostic()> emitError,
                                 ArrayRef<ExtentAttr> shape, Type element,
                                 bool strided) {
  if (failed(verifyShape(emitError, shape, element)))
    return failure();
  if (isa<CodeType>(element))
    return emitError() << "a matrix holds words, not codes: element type "
                       << element;
  return success();
}

Type CodeType::parse(AsmParser &parser) {
  ExtentAttr width;
  if (parser.parseLess() || parseExtent(parser, width) || parser.parseGreater())
    return {};
  return get(parser.getContext(), width);
}

void CodeType::print(AsmPrinter &printer) const {
  printer << "<" << getWidth().getText() << ">";
}

bool nibble::ir::isTileOf(Type type, function_ref<bool(Type)> test) {
  auto tile = dyn_cast<TileType>(type);
  return tile &&
         (isa<NamedType>(tile.getElementType()) || test(tile.getElementType()));
}

bool nibble::ir::isFloatTile(Type type) {
  return isTileOf(type, [](Type element) { return isa<FloatType>(element); });
}
