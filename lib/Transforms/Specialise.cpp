//===- Transforms/Specialise.cpp - Names to values ------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The first stage of every compilation. Types and attributes are rewritten in
// one sweep; what then depends on constants alone is folded on the spot, which
// spares a run of the canonicalizer.
//
//===----------------------------------------------------------------------===//

#include "Nibble/Nibble.h"
#include "Transforms/Passes.h"
#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include <numeric>

namespace nibble {
#define GEN_PASS_DEF_SPECIALISE
#include "Transforms/Passes.h.inc"
} // namespace nibble

using namespace mlir;
using namespace nibble;
using namespace nibble::ir;

namespace {

/// Specialises one kernel in place.
class Specialiser {
public:
  Specialiser(KernelOp kernel, const KernelConfig &config)
      : kernel(kernel), config(config), context(kernel.getContext()) {}

  LogicalResult run() {
    if (failed(checkParams()) || failed(readTypes()) ||
        failed(specialiseSizes()) || failed(alignArguments()))
      return failure();
    replaceParamOps();
    kernel.setParamsAttr(ArrayAttr::get(context, {}));
    kernel.setTypesAttr(ArrayAttr::get(context, {}));
    if (failed(replaceNames()))
      return failure();
    takeBranches();
    if (config.packed)
      kernel->setAttr(packedAttrName,
                      Builder(context).getI64IntegerAttr(config.packed));
    return success();
  }

private:
  std::optional<Extent> valueOf(StringRef name) {
    auto found = config.params.find(name.str());
    if (found == config.params.end())
      return std::nullopt;
    return Extent::constant(found->second);
  }

  /// `extent` with numbers for parameters; it must stay whole and, when it
  /// becomes a number, positive.
  FailureOr<ExtentAttr> substitute(ExtentAttr extent) {
    if (extent.asInteger())
      return extent;
    std::optional<Extent> value = extent.getExtent().substitute(
        [&](StringRef name) { return valueOf(name); });
    std::optional<int64_t> number = value ? value->asInteger() : std::nullopt;
    bool symbolic = false;
    if (value)
      value->forEachName([&](StringRef) { symbolic = true; });
    if (!value || (!symbolic && (!number || *number < 1))) {
      kernel.emitOpError() << "extent '" << extent.getText() << "' becomes '"
                           << (value ? value->str() : "too large")
                           << "', which is not a positive whole number";
      return failure();
    }
    return ExtentAttr::get(context, *value);
  }

  /// What divides the whole numbers that `extent` divides without rest: 32 for
  /// the `32 / 3` that `32 / BITS` becomes, in lowest terms.
  FailureOr<int64_t> divisor(ExtentAttr extent) {
    std::optional<Extent> value = extent.getExtent().substitute(
        [&](StringRef name) { return valueOf(name); });
    std::optional<Extent::Ratio> ratio =
        value ? value->asRatio() : std::nullopt;
    if (!ratio || ratio->numerator < 1)
      return kernel.emitOpError()
             << "multiple_of '" << extent.getText() << "' becomes '"
             << (value ? value->str() : "too large") << "', which divides none";
    return ratio->numerator;
  }

  LogicalResult checkParams() {
    for (const auto &[name, value] : config.params)
      if (!kernel.findParam(name))
        return kernel.emitOpError() << "has no parameter '" << name << "'";
    for (ParamAttr param : kernel.getParams().getAsRange<ParamAttr>()) {
      StringRef name = param.getName();
      auto found = config.params.find(name.str());
      if (found == config.params.end())
        return kernel.emitOpError()
               << "parameter '" << name << "' has no value";
      int64_t value = found->second;
      ArrayRef<int64_t> choices = param.getChoices();
      if (!choices.empty() && !llvm::is_contained(choices, value)) {
        InFlightDiagnostic diag = kernel.emitOpError()
                                  << "parameter '" << name << "' is " << value
                                  << ", expected one of ";
        llvm::interleaveComma(choices, diag);
        return diag;
      }
      if (choices.empty() && (value < 1 || value > (int64_t(1) << 31)))
        return kernel.emitOpError() << "parameter '" << name << "' is " << value
                                    << ", expected 1 to 2^31";
      FailureOr<int64_t> multiple = divisor(param.getMultipleOf());
      if (failed(multiple))
        return failure();
      if (value % *multiple != 0)
        return kernel.emitOpError() << "parameter '" << name << "' is " << value
                                    << ", expected a multiple of " << *multiple;
    }
    return success();
  }

  LogicalResult readTypes() {
    for (const auto &[name, text] : config.types)
      if (!kernel.findType(name))
        return kernel.emitOpError() << "has no type parameter '" << name << "'";
    for (auto param : kernel.getTypes().getAsRange<TypeParamAttr>()) {
      auto found = config.types.find(param.getName().str());
      if (found == config.types.end())
        return kernel.emitOpError()
               << "type parameter '" << param.getName() << "' has no value";
      Type chosen;
      for (Type choice : param.getChoices()) {
        std::string spelled;
        llvm::raw_string_ostream(spelled) << choice;
        if (spelled == found->second)
          chosen = choice;
      }
      if (!chosen) {
        InFlightDiagnostic diag = kernel.emitOpError()
                                  << "type parameter '" << param.getName()
                                  << "' is '" << found->second
                                  << "', expected one of ";
        llvm::interleaveComma(param.getChoices(), diag);
        return diag;
      }
      types[param.getName()] = chosen;
    }
    return success();
  }

  LogicalResult specialiseSizes() {
    for (const auto *facts : {&config.multiples, &config.most})
      for (const auto &[name, number] : *facts)
        if (!kernel.findSize(name))
          return kernel.emitOpError() << "has no size '" << name << "'";
    if (!config.most.empty()) {
      Builder builder(context);
      SmallVector<NamedAttribute> most;
      for (const auto &[name, number] : config.most)
        most.push_back(
            builder.getNamedAttr(name, builder.getI64IntegerAttr(number)));
      kernel->setAttr(mostAttrName, builder.getDictionaryAttr(most));
    }
    SmallVector<Attribute> sizes;
    for (ParamAttr size : kernel.getSizes().getAsRange<ParamAttr>()) {
      FailureOr<int64_t> multiple = divisor(size.getMultipleOf());
      if (failed(multiple))
        return failure();
      int64_t known = *multiple;
      if (auto found = config.multiples.find(size.getName().str());
          found != config.multiples.end())
        known = std::lcm(known, found->second);
      sizes.push_back(
          ParamAttr::get(context, size.getName(),
                         ExtentAttr::get(context, Extent::constant(known)),
                         size.getChoices()));
    }
    kernel.setSizesAttr(ArrayAttr::get(context, sizes));
    return success();
  }

  LogicalResult alignArguments() {
    Builder builder(context);
    unsigned count = kernel.getBody().getNumArguments();
    SmallVector<Attribute> attrs(count, builder.getDictionaryAttr({}));
    for (const auto &[name, bytes] : config.alignments) {
      auto found = llvm::find_if(kernel.getArgNames(), [&](Attribute attr) {
        return cast<StringAttr>(attr).getValue() == name;
      });
      if (found == kernel.getArgNames().end())
        return kernel.emitOpError() << "has no matrix '" << name << "'";
      if (!llvm::isPowerOf2_64(bytes))
        return kernel.emitOpError() << "alignment of '" << name << "' is "
                                    << bytes << ", expected a power of two";
      int64_t index = found - kernel.getArgNames().begin();
      attrs[index] = builder.getDictionaryAttr(builder.getNamedAttr(
          "nibble.align", builder.getI64IntegerAttr(bytes)));
      BlockArgument argument = kernel.getBody().getArgument(index);
      auto matrix = cast<MatrixType>(argument.getType());
      argument.setType(MatrixType::get(context, matrix.getShape(),
                                       matrix.getElementType(),
                                       /*strided=*/false));
    }
    kernel.setArgAttrsAttr(builder.getArrayAttr(attrs));
    return success();
  }

  void replaceParamOps() {
    kernel.walk([&](ParamOp op) {
      OpBuilder builder(op);
      int64_t value = config.params.at(op.getName().str());
      Type type = op.getType();
      auto attr =
          builder.getIntegerAttr(type, type.isIndex() ? value : value != 0);
      Value constant = arith::ConstantOp::create(builder, op.getLoc(), attr);
      op.replaceAllUsesWith(constant);
      op.erase();
    });
  }

  LogicalResult replaceNames() {
    bool broken = false;
    AttrTypeReplacer replacer;
    replacer.addReplacement(
        [&](ExtentAttr extent)
            -> std::optional<std::pair<Attribute, WalkResult>> {
          FailureOr<ExtentAttr> value = substitute(extent);
          broken |= failed(value);
          return std::make_pair(Attribute(failed(value) ? extent : *value),
                                WalkResult::skip());
        });
    replacer.addReplacement([&](NamedType named) -> std::optional<Type> {
      return types.lookup(named.getName());
    });
    replacer.recursivelyReplaceElementsIn(kernel, /*replaceAttrs=*/true,
                                          /*replaceLocs=*/false,
                                          /*replaceTypes=*/true);
    return failure(broken);
  }

  /// Replaces each `scf.if` on a constant by the branch that is taken, and
  /// erases what then has no use.
  void takeBranches() {
    SmallVector<scf::IfOp> branches;
    kernel.walk([&](scf::IfOp op) { branches.push_back(op); });
    for (scf::IfOp op : branches) {
      APInt condition;
      if (!matchPattern(op.getCondition(), m_ConstantInt(&condition)))
        continue;
      Block *taken = condition.isZero() ? op.elseBlock() : op.thenBlock();
      if (taken) {
        Operation *yield = taken->getTerminator();
        op.replaceAllUsesWith(yield->getOperands());
        yield->erase();
        op->getBlock()->getOperations().splice(Block::iterator(op),
                                               taken->getOperations());
      }
      op.erase();
    }
    SmallVector<Operation *> all;
    kernel.getBody().walk([&](Operation *op) { all.push_back(op); });
    for (Operation *op : llvm::reverse(all))
      if (isOpTriviallyDead(op))
        op->erase();
  }

  KernelOp kernel;
  const KernelConfig &config;
  MLIRContext *context;
  llvm::StringMap<Type> types;
};

struct SpecialisePass : nibble::impl::SpecialiseBase<SpecialisePass> {
  using SpecialiseBase::SpecialiseBase;
  void runOnOperation() override {
    Result<KernelConfig> parsed = KernelConfig::parse(config);
    if (!parsed.ok()) {
      getOperation().emitError() << parsed.status().message();
      return signalPassFailure();
    }
    if (failed(specialise(getOperation(), *parsed)))
      signalPassFailure();
  }
};

} // namespace

LogicalResult nibble::specialise(Operation *module,
                                 const KernelConfig &config) {
  WalkResult result = module->walk([&](KernelOp kernel) {
    if (failed(Specialiser(kernel, config).run()))
      return WalkResult::interrupt();
    return WalkResult::skip();
  });
  return failure(result.wasInterrupted());
}
