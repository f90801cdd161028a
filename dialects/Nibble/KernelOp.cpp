//===- Nibble/KernelOp.cpp - The kernel and its names ---------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Syntax of a kernel, and the check that gives its symbolic types a meaning:
// every name is declared, and every extent is whole for all values that the
// declarations allow.
//
//===----------------------------------------------------------------------===//

#include "Nibble/ExtentSyntax.h"
#include "Nibble/Nibble.h"
#include "mlir/IR/Builders.h"
#include "mlir/Interfaces/FunctionImplementation.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include <numeric>

using namespace mlir;
using namespace nibble::ir;

//===----------------------------------------------------------------------===//
// Syntax
//===----------------------------------------------------------------------===//

/// Reads `keyword [item, ...]`, or nothing as an empty list.
template <typename AttrT>
static ParseResult
parseList(OpAsmParser &parser, StringRef keyword,
          function_ref<ParseResult(AsmParser &, AttrT &)> parseItem,
          ArrayAttr &list) {
  SmallVector<Attribute> items;
  if (succeeded(parser.parseOptionalKeyword(keyword)) &&
      parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
        AttrT item;
        if (parseItem(parser, item))
          return failure();
        items.push_back(item);
        return success();
      }))
    return failure();
  list = parser.getBuilder().getArrayAttr(items);
  return success();
}

ParseResult KernelOp::parse(OpAsmParser &parser, OperationState &result) {
  StringAttr name;
  ArrayAttr params, types, sizes, grid;
  SmallVector<OpAsmParser::Argument> arguments;
  if (parser.parseSymbolName(name, getSymNameAttrName(result.name),
                             result.attributes) ||
      parseList<ParamAttr>(parser, "params", parseParam, params) ||
      parseList<TypeParamAttr>(parser, "types", parseTypeParam, types) ||
      parseList<ParamAttr>(parser, "sizes", parseParam, sizes) ||
      parseList<GridDimAttr>(parser, "grid", parseGridDim, grid) ||
      parser.parseArgumentList(arguments, OpAsmParser::Delimiter::Paren,
                               /*allowType=*/true, /*allowAttrs=*/true))
    return failure();
  result.addAttribute(getParamsAttrName(result.name), params);
  result.addAttribute(getTypesAttrName(result.name), types);
  result.addAttribute(getSizesAttrName(result.name), sizes);
  result.addAttribute(getGridAttrName(result.name), grid);
  SmallVector<StringRef> names;
  for (OpAsmParser::Argument &argument : arguments)
    names.push_back(argument.ssaName.name.drop_front());
  result.addAttribute(getArgNamesAttrName(result.name),
                      parser.getBuilder().getStrArrayAttr(names));
  if (llvm::any_of(arguments,
                   [](auto &arg) { return arg.attrs && !arg.attrs.empty(); })) {
    SmallVector<Attribute> attrs;
    for (OpAsmParser::Argument &argument : arguments)
      attrs.push_back(argument.attrs
                          ? argument.attrs
                          : parser.getBuilder().getDictionaryAttr({}));
    result.addAttribute(getArgAttrsAttrName(result.name),
                        parser.getBuilder().getArrayAttr(attrs));
  }
  if (parser.parseOptionalAttrDictWithKeyword(result.attributes))
    return failure();
  Region *body = result.addRegion();
  if (parser.parseRegion(*body, arguments))
    return failure();
  if (body->empty()) {
    Block &block = body->emplaceBlock();
    for (OpAsmParser::Argument &argument : arguments)
      block.addArgument(argument.type, parser.getBuilder().getUnknownLoc());
  }
  return success();
}

template <typename AttrT>
static void printList(OpAsmPrinter &printer, StringRef keyword, ArrayAttr list,
                      function_ref<void(AsmPrinter &, AttrT)> printItem) {
  if (list.empty())
    return;
  printer.printNewline();
  printer << "    " << keyword << " [";
  llvm::interleaveComma(list.getAsRange<AttrT>(), printer,
                        [&](AttrT item) { printItem(printer, item); });
  printer << "]";
}

void KernelOp::print(OpAsmPrinter &printer) {
  printer << " ";
  printer.printSymbolName(getSymName());
  printList<ParamAttr>(printer, "params", getParams(), printParam);
  printList<TypeParamAttr>(printer, "types", getTypes(), printTypeParam);
  printList<ParamAttr>(printer, "sizes", getSizes(), printParam);
  printList<GridDimAttr>(printer, "grid", getGrid(), printGridDim);
  printer.printNewline();
  printer << "    (";
  Block &block = getBody().front();
  ArrayAttr argAttrs = getArgAttrsAttr();
  llvm::interleaveComma(block.getArguments(), printer, [&](BlockArgument arg) {
    DictionaryAttr attrs =
        argAttrs ? cast<DictionaryAttr>(argAttrs[arg.getArgNumber()])
                 : DictionaryAttr();
    printer.printRegionArgument(arg, attrs ? attrs.getValue()
                                           : ArrayRef<NamedAttribute>());
  });
  printer << ")";
  printer.printOptionalAttrDictWithKeyword(
      (*this)->getAttrs(),
      {getSymNameAttrName(), getParamsAttrName(), getTypesAttrName(),
       getSizesAttrName(), getGridAttrName(), getArgNamesAttrName(),
       getArgAttrsAttrName()});
  printer << " ";
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

void KernelOp::getAsmBlockArgumentNames(Region &region,
                                        OpAsmSetValueNameFn setName) {
  for (BlockArgument argument : region.getArguments())
    if (argument.getArgNumber() < getArgNames().size())
      setName(argument, getArgName(argument.getArgNumber()));
}

//===----------------------------------------------------------------------===//
// Names and what is known of them
//===----------------------------------------------------------------------===//

template <typename AttrT> static AttrT find(ArrayAttr list, StringRef name) {
  for (AttrT item : list.getAsRange<AttrT>())
    if (item.getName() == name)
      return item;
  return {};
}

ParamAttr KernelOp::findParam(StringRef name) {
  return find<ParamAttr>(getParams(), name);
}
ParamAttr KernelOp::findSize(StringRef name) {
  return find<ParamAttr>(getSizes(), name);
}
TypeParamAttr KernelOp::findType(StringRef name) {
  return find<TypeParamAttr>(getTypes(), name);
}

/// What divides every value of `param`: its multiple_of, or the greatest
/// common divisor of its choices.
static Extent divisorOf(ParamAttr param) {
  int64_t common = 0;
  for (int64_t choice : param.getChoices())
    common = commonDivisor(common, choice);
  return common > 1 ? Extent::constant(common)
                    : param.getMultipleOf().getExtent();
}

/// `extent` with every name written as its divisor times itself, or nothing
/// when that does not fit 64 bits. Declared order bounds the nesting of
/// divisors, so one replacement a declaration is enough.
static std::optional<Extent> withDivisors(KernelOp kernel,
                                          const Extent &extent) {
  std::optional<Extent> current = extent;
  // A divisor may name a parameter that has a divisor of its own, so sizes are
  // replaced first and parameters after them, the last declared first.
  SmallVector<ParamAttr> order(kernel.getParams().getAsRange<ParamAttr>());
  llvm::append_range(order, kernel.getSizes().getAsRange<ParamAttr>());
  for (ParamAttr param : llvm::reverse(order)) {
    if (!current)
      return std::nullopt;
    current = current->substitute([&](StringRef name) -> std::optional<Extent> {
      if (name != param.getName())
        return std::nullopt;
      return divisorOf(param).times(Extent::name(name));
    });
  }
  return current;
}

int64_t KernelOp::knownDivisor(ExtentAttr extent) {
  std::optional<Extent> divided = withDivisors(*this, extent.getExtent());
  if (!divided || !divided->isWhole())
    return 1;
  int64_t common = 0;
  divided->forEachTerm([&](Extent::Ratio ratio, const Extent::Powers &) {
    common = commonDivisor(common, ratio.numerator);
  });
  return std::max<int64_t>(common, 1);
}

std::optional<int64_t> KernelOp::knownMost(ExtentAttr extent) {
  if (std::optional<int64_t> number = extent.asInteger())
    return number;
  auto most = (*this)->getAttrOfType<DictionaryAttr>(mostAttrName);
  auto known = most ? most.getAs<IntegerAttr>(extent.getText()) : nullptr;
  return known ? std::optional(known.getInt()) : std::nullopt;
}

bool KernelOp::hasWholePieces(BlockArgument matrix) {
  auto type = cast<MatrixType>(matrix.getType());
  int64_t bytes = type.getElementType().getIntOrFloatBitWidth() / 8;
  return !type.getStrided() &&
         knownDivisor(type.getShape().back()) * bytes % 16 == 0 &&
         getArgAlignment(matrix.getArgNumber()) % 16 == 0;
}

int64_t KernelOp::getArgAlignment(unsigned index) {
  auto type = cast<MatrixType>(getBody().getArgument(index).getType());
  Type element = type.getElementType();
  int64_t natural =
      element.isIntOrFloat() ? element.getIntOrFloatBitWidth() / 8 : 1;
  if (ArrayAttr attrs = getArgAttrsAttr())
    if (auto align = cast<DictionaryAttr>(attrs[index])
                         .getAs<IntegerAttr>("nibble.align"))
      return std::max(natural, align.getInt());
  return natural;
}

//===----------------------------------------------------------------------===//
// Verification
//===----------------------------------------------------------------------===//

static LogicalResult verifyDeclaration(KernelOp kernel, ParamAttr param,
                                       llvm::StringSet<> &declared,
                                       const llvm::StringSet<> &usable) {
  StringRef name = param.getName();
  if (!declared.insert(name).second)
    return kernel.emitOpError() << "declares '" << name << "' twice";
  LogicalResult result = success();
  param.getMultipleOf().getExtent().forEachName([&](StringRef used) {
    if (succeeded(result) && !usable.contains(used))
      result = kernel.emitOpError()
               << "'" << name << "' is a multiple of '"
               << param.getMultipleOf().getText() << "', but '" << used
               << "' is not a parameter declared before it";
  });
  if (failed(result))
    return failure();
  std::optional<int64_t> multiple = param.getMultipleOf().asInteger();
  if (multiple && *multiple < 1)
    return kernel.emitOpError() << "'" << name << "' is a multiple of "
                                << *multiple << ", which is not positive";
  for (int64_t choice : param.getChoices())
    if (multiple && choice % *multiple != 0)
      return kernel.emitOpError()
             << "'" << name << "' may be " << choice
             << ", which is not a multiple of " << *multiple;
  return success();
}

/// Names become those of functions, which every assembler must take.
static bool isIdentifier(StringRef name) {
  auto isPart = [](char c) { return llvm::isAlnum(c) || c == '_'; };
  return !name.empty() && !llvm::isDigit(name[0]) && llvm::all_of(name, isPart);
}

LogicalResult KernelOp::verify() {
  if (!isIdentifier(getSymName()))
    return emitOpError() << "is named '" << getSymName()
                         << "'; a name has letters, digits and underscores, "
                            "and begins with no digit";
  llvm::StringSet<> declared, usable;
  for (ParamAttr param : getParams().getAsRange<ParamAttr>()) {
    if (failed(verifyDeclaration(*this, param, declared, usable)))
      return failure();
    usable.insert(param.getName());
  }
  for (ParamAttr size : getSizes().getAsRange<ParamAttr>())
    if (failed(verifyDeclaration(*this, size, declared, usable)))
      return failure();
  for (TypeParamAttr type : getTypes().getAsRange<TypeParamAttr>()) {
    if (!declared.insert(type.getName()).second)
      return emitOpError() << "declares '" << type.getName() << "' twice";
    if (type.getChoices().empty())
      return emitOpError() << "type '" << type.getName() << "' has no choices";
  }
  if (getGrid().empty() || getGrid().size() > 2)
    return emitOpError() << "expected a grid of one or two dimensions, got "
                         << getGrid().size();
  for (BlockArgument argument : getBody().getArguments())
    if (!isa<MatrixType>(argument.getType()))
      return emitOpError() << "argument " << argument.getArgNumber() << " is "
                           << argument.getType() << ", not a matrix";
  if (getArgNames().size() != getBody().getNumArguments())
    return emitOpError() << "has " << getArgNames().size() << " names for "
                         << getBody().getNumArguments() << " arguments";
  if (ArrayAttr attrs = getArgAttrsAttr();
      attrs && attrs.size() != getBody().getNumArguments())
    return emitOpError() << "has " << attrs.size()
                         << " argument attributes for "
                         << getBody().getNumArguments() << " arguments";
  return success();
}

namespace {

/// Checks the names and extents of every type in a kernel, each type once.
class TypeChecker {
public:
  explicit TypeChecker(KernelOp kernel) : kernel(kernel) {}

  LogicalResult check(Operation *user, Type type) {
    if (!checked.insert(type).second)
      return success();
    if (auto tile = dyn_cast<TileType>(type)) {
      for (ExtentAttr extent : tile.getShape())
        if (failed(check(user, type, extent, /*sizes=*/false)))
          return failure();
      return checkElement(user, type, tile.getElementType());
    }
    if (auto matrix = dyn_cast<MatrixType>(type)) {
      for (ExtentAttr extent : matrix.getShape())
        if (failed(check(user, type, extent, /*sizes=*/true)))
          return failure();
      return checkElement(user, type, matrix.getElementType());
    }
    return success();
  }

  /// Checks that `extent`, part of `where`, names only what is declared (sizes
  /// too if `sizes`) and is whole.
  template <typename WhereT>
  LogicalResult check(Operation *user, WhereT where, ExtentAttr extent,
                      bool sizes) {
    LogicalResult result = success();
    Extent value = extent.getExtent();
    value.forEachName([&](StringRef name) {
      if (failed(result) || kernel.findParam(name) ||
          (sizes && kernel.findSize(name)))
        return;
      InFlightDiagnostic diag = user->emitOpError();
      diag << "'" << name << "' in " << where;
      if (kernel.findSize(name))
        diag << " is a size, known only at launch; a tile needs parameters";
      else
        diag << " is not declared by kernel '@" << kernel.getSymName() << "'";
      result = diag;
    });
    if (failed(result))
      return failure();
    std::optional<Extent> divided = withDivisors(kernel, value);
    if (!value.isWhole() && !(divided && divided->isWhole()))
      return user->emitOpError()
             << "extent '" << extent.getText() << "' in " << where
             << " is not known to be whole; declare what its names are "
                "multiples of";
    return success();
  }

private:
  LogicalResult checkElement(Operation *user, Type where, Type element) {
    if (auto code = dyn_cast<CodeType>(element))
      return check(user, where, code.getWidth(), /*sizes=*/false);
    if (auto named = dyn_cast<NamedType>(element);
        named && !kernel.findType(named.getName()))
      return user->emitOpError()
             << "element type '" << named.getName() << "' in " << where
             << " is not declared by kernel '@" << kernel.getSymName() << "'";
    return success();
  }

  KernelOp kernel;
  llvm::SmallPtrSet<Type, 16> checked;
};

} // namespace

LogicalResult KernelOp::verifyRegions() {
  TypeChecker checker(*this);
  for (auto dim : getGrid().getAsRange<GridDimAttr>())
    if (failed(checker.check(*this, "the grid", dim.getSize(), true)) ||
        failed(checker.check(*this, "the grid", dim.getBlock(), false)))
      return failure();
  for (BlockArgument argument : getBody().getArguments())
    if (failed(checker.check(*this, argument.getType())))
      return failure();
  WalkResult walked = getBody().walk([&](Operation *op) {
    for (Type type : op->getResultTypes())
      if (failed(checker.check(op, type)))
        return WalkResult::interrupt();
    for (NamedAttribute attr : op->getAttrs()) {
      auto extent = dyn_cast<ExtentAttr>(attr.getValue());
      if (!extent)
        continue;
      bool sizes = attr.getName() == "size" || attr.getName() == "rows";
      if (failed(checker.check(op, StringRef("an operand"), extent, sizes)))
        return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return failure(walked.wasInterrupted());
}
