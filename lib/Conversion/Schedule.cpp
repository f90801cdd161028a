//===- Conversion/Schedule.cpp - What schedules share ---------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Schedule.h, and the passes that call the schedules.
//
//===----------------------------------------------------------------------===//

#include "Conversion/Schedule.h"
#include "Conversion/Interface.h"
#include "Conversion/Passes.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::ir;

LogicalResult nibble::checkSchedulable(KernelOp kernel, bool packed) {
  if (!kernel.isSpecialised())
    return kernel.emitError()
           << "kernel @" << kernel.getSymName()
           << " still has parameters; run nibble-specialise first";
  if (kernel->hasAttr(packedAttrName) && !packed)
    return kernel.emitError() << "kernel @" << kernel.getSymName()
                              << " has packed weights, which only the schedule "
                                 "mma_packed reads";
  WalkResult result = kernel.walk([&](StoreOp store) {
    for (Operation *around = store->getParentOp(); around != kernel;
         around = around->getParentOp())
      if (!isa<scf::IfOp, scf::ForOp>(around) || around->getNumResults() != 0) {
        around->emitOpError("stands around a store; schedules take scf.if and "
                            "scf.for without results");
        return WalkResult::interrupt();
      }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

LLVM::LLVMFuncOp nibble::makeFunction(KernelOp kernel, StringRef schedule,
                                      ArrayRef<Type> parameters) {
  OpBuilder builder(kernel);
  auto type = LLVM::LLVMFunctionType::get(
      LLVM::LLVMVoidType::get(kernel.getContext()), parameters);
  auto function = LLVM::LLVMFuncOp::create(builder, kernel.getLoc(),
                                           kernel.getSymName(), type);
  function.addEntryBlock(builder);
  function->setAttr(scheduleAttrName, builder.getStringAttr(schedule));
  return function;
}

LogicalResult
nibble::buildGpuFunction(KernelOp kernel, StringRef schedule, int64_t threads,
                         int64_t sharedBytes, const EvaluatorOptions &options,
                         function_ref<LogicalResult(GpuBody &)> build,
                         int splits) {
  MLIRContext *context = kernel.getContext();
  Type word = IntegerType::get(context, 64);
  Type pointer = LLVM::LLVMPointerType::get(context, /*addressSpace=*/1);
  SmallVector<Type> parameters;
  for (const KernelWord &each : interfaceOf(kernel).words())
    parameters.push_back(each.kind == KernelWord::Address ? pointer : word);
  LLVM::LLVMFuncOp function = makeFunction(kernel, schedule, parameters);
  Builder attributes(context);
  function->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(),
                    attributes.getUnitAttr());
  function->setAttr(
      NVVM::NVVMDialect::getReqntidAttrName(),
      attributes.getDenseI32ArrayAttr({static_cast<int32_t>(threads)}));
  function->setAttr(threadsAttrName, attributes.getI64IntegerAttr(threads));
  function->setAttr(sharedBytesAttrName,
                    attributes.getI64IntegerAttr(sharedBytes));

  Block *entry = &function.getBody().front();
  ValueBuilder b(OpBuilder::atBlockEnd(entry), kernel.getLoc());
  LLVM::GlobalOp global;
  Value shared;
  if (sharedBytes) {
    OpBuilder beside(function);
    global = LLVM::GlobalOp::create(
        beside, kernel.getLoc(),
        LLVM::LLVMArrayType::get(b.op().getI8Type(), 0),
        /*isConstant=*/false, LLVM::Linkage::External,
        (kernel.getSymName() + "_shared").str(), Attribute(),
        /*alignment=*/128, /*addrSpace=*/3);
    shared = b.create<LLVM::AddressOfOp>(global);
  }
  Value block = b.make<NVVM::BlockIdXOp>(b.op().getI32Type()), part;
  if (splits > 1) {
    function->setAttr(splitsAttrName, attributes.getI64IntegerAttr(splits));
    function->setAttr(NVVM::NVVMDialect::getClusterDimAttrName(),
                      attributes.getDenseI32ArrayAttr({splits, 1, 1}));
    part = b.make<arith::RemUIOp>(block, b.i32(splits));
    block = b.make<arith::DivUIOp>(block, b.i32(splits));
  }
  Value program = b.make<arith::IndexCastUIOp>(b.op().getIndexType(), block);
  Value thread = b.make<NVVM::ThreadIdXOp>(b.op().getI32Type());
  TileEvaluator evaluator(kernel, b, entry->getArguments(), program, options);
  GpuBody body{function, evaluator, thread, shared, part};
  LogicalResult result = build(body);
  b.create<LLVM::ReturnOp>(ValueRange());
  if (failed(result)) {
    function.erase();
    if (global)
      global.erase();
    return failure();
  }
  kernel.erase();
  return success();
}

LogicalResult nibble::walkStores(Block *block, TileEvaluator &evaluator,
                                 function_ref<LogicalResult(StoreOp)> store) {
  ValueBuilder &b = evaluator.builder();
  for (Operation &op : *block) {
    if (auto found = dyn_cast<StoreOp>(op)) {
      if (failed(store(found)))
        return failure();
      continue;
    }
    if (op.getNumResults() != 0)
      continue; // built when a store asks for it
    LogicalResult result = success();
    if (auto choice = dyn_cast<scf::IfOp>(op)) {
      FailureOr<Value> condition = evaluator.scalar(choice.getCondition());
      if (failed(condition))
        return failure();
      bool hasElse = !choice.getElseRegion().empty();
      auto built = b.create<scf::IfOp>(*condition, hasElse);
      b.inBlock(built.thenBlock(), [&] {
        result = walkStores(choice.thenBlock(), evaluator, store);
      });
      if (hasElse && succeeded(result))
        b.inBlock(built.elseBlock(), [&] {
          result = walkStores(choice.elseBlock(), evaluator, store);
        });
    } else if (auto loop = dyn_cast<scf::ForOp>(op)) {
      FailureOr<Value> lower = evaluator.scalar(loop.getLowerBound()),
                       upper = evaluator.scalar(loop.getUpperBound()),
                       step = evaluator.scalar(loop.getStep());
      if (failed(lower) || failed(upper) || failed(step))
        return failure();
      auto built = b.create<scf::ForOp>(*lower, *upper, *step);
      evaluator.map(loop.getInductionVar(), built.getInductionVar());
      b.inBlock(built.getBody(),
                [&] { result = walkStores(loop.getBody(), evaluator, store); });
    }
    if (failed(result))
      return failure();
  }
  return success();
}

LogicalResult nibble::scheduleGpu(KernelOp kernel,
                                  const MmaPackedOptions &options) {
  if (kernel->hasAttr(packedAttrName))
    return scheduleMmaPacked(kernel, options);
  std::string refusal =
      refusalOfMma(kernel, options.warps, options.sharedBytes);
  if (!options.held && refusal.empty())
    return scheduleMma(kernel, options.warps, options.sharedBytes);
  auto module = kernel->getParentOfType<ModuleOp>();
  StringAttr name = kernel.getSymNameAttr();
  if (failed(scheduleSimt(kernel, {options.warps, options.overlap, options.held,
                                   options.sharedBytes})))
    return failure();
  for (auto function : module.getOps<LLVM::LLVMFuncOp>())
    if (function.getSymNameAttr() == name)
      function->setAttr(mmaRefusedAttrName,
                        StringAttr::get(module.getContext(), refusal));
  return success();
}

//===----------------------------------------------------------------------===//
// Passes
//===----------------------------------------------------------------------===//

namespace nibble {
#define GEN_PASS_DEF_SCHEDULEHOST
#define GEN_PASS_DEF_SCHEDULESIMT
#define GEN_PASS_DEF_SCHEDULEMMA
#define GEN_PASS_DEF_SCHEDULEMMAPACKED
#define GEN_PASS_DEF_SCHEDULEGPU
#include "Conversion/Passes.h.inc"
} // namespace nibble

/// Schedules every kernel of `module` by `schedule`.
static LogicalResult
forEachKernel(ModuleOp module, function_ref<LogicalResult(KernelOp)> schedule) {
  for (KernelOp kernel : llvm::make_early_inc_range(module.getOps<KernelOp>()))
    if (failed(schedule(kernel)))
      return failure();
  return success();
}

namespace {
struct ScheduleHost : nibble::impl::ScheduleHostBase<ScheduleHost> {
  using ScheduleHostBase::ScheduleHostBase;
  void runOnOperation() override {
    if (failed(forEachKernel(getOperation(), [&](KernelOp kernel) {
          return scheduleHost(kernel, vectorBits);
        })))
      signalPassFailure();
  }
};

struct ScheduleSimt : nibble::impl::ScheduleSimtBase<ScheduleSimt> {
  using ScheduleSimtBase::ScheduleSimtBase;
  void runOnOperation() override {
    if (failed(forEachKernel(getOperation(), [&](KernelOp kernel) {
          return scheduleSimt(kernel, {warps, overlap, held, sharedBytes});
        })))
      signalPassFailure();
  }
};

struct ScheduleMma : nibble::impl::ScheduleMmaBase<ScheduleMma> {
  using ScheduleMmaBase::ScheduleMmaBase;
  void runOnOperation() override {
    if (failed(forEachKernel(getOperation(), [&](KernelOp kernel) {
          return scheduleMma(kernel, warps, sharedBytes);
        })))
      signalPassFailure();
  }
};

struct ScheduleMmaPacked
    : nibble::impl::ScheduleMmaPackedBase<ScheduleMmaPacked> {
  using ScheduleMmaPackedBase::ScheduleMmaPackedBase;
  void runOnOperation() override {
    MmaPackedOptions options = {warps, stages,  prefetch, splits,
                                wgmma, overlap, held,     sharedBytes};
    if (failed(forEachKernel(getOperation(), [&](KernelOp kernel) {
          return scheduleMmaPacked(kernel, options);
        })))
      signalPassFailure();
  }
};

struct ScheduleGpu : nibble::impl::ScheduleGpuBase<ScheduleGpu> {
  using ScheduleGpuBase::ScheduleGpuBase;
  void runOnOperation() override {
    MmaPackedOptions options = {warps, stages,  prefetch, splits,
                                wgmma, overlap, held,     sharedBytes};
    if (failed(forEachKernel(getOperation(), [&](KernelOp kernel) {
          return scheduleGpu(kernel, options);
        })))
      signalPassFailure();
  }
};
} // namespace
