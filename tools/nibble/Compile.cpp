//===- Compile.cpp - nibble compile ---------------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Prints a kernel at any stage, for any target; or compiles all kernels of a
// checkpoint (CompileModel.cpp).
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "CompileModel.h"
#include "Layers.h"
#include "Ptxas.h"
#include "Support/Files.h"
#include "nibble/Compiler.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <functional>
#include <initializer_list>

using namespace nibble;
using namespace llvm;

cl::SubCommand tool::compileCommand(
    "compile",
    "Compile a kernel for a GPU or the host and print a stage of it, or all "
    "kernels of a checkpoint into a file");

static cl::opt<std::string>
    kernel("kernel", cl::sub(tool::compileCommand), cl::cat(tool::category),
           cl::init("matmul_248"), cl::value_desc("name or file.mlir"),
           cl::desc("An embedded kernel, or a file of MLIR text"));
static cl::opt<std::string>
    entry("entry", cl::sub(tool::compileCommand), cl::cat(tool::category),
          cl::value_desc("name"),
          cl::desc("Which kernel of a file that has several"));
static cl::opt<std::string>
    config("config", cl::sub(tool::compileCommand), cl::cat(tool::category),
           cl::value_desc("words"),
           cl::desc("Parameters and facts, such as 'BITS=4 X=f16 N%64 x@16 "
                    "warps=4'; what a kernel of nibble's needs and is not "
                    "given takes an ordinary value"));
static cl::opt<std::string>
    target("target", cl::sub(tool::compileCommand), cl::cat(tool::category),
           cl::init("host"), cl::value_desc("name"),
           cl::desc("sm_80, sm_86, sm_89, sm_90a, sm_100a, sm_120a or host; "
                    "with --model several, separated by commas"));
static cl::opt<std::string>
    schedule("schedule", cl::sub(tool::compileCommand), cl::cat(tool::category),
             cl::init("auto"), cl::value_desc("name"),
             cl::desc("auto, host, simt, mma or mma_packed"));
static cl::opt<std::string> stage(
    "emit", cl::sub(tool::compileCommand), cl::cat(tool::category),
    cl::value_desc("stage"),
    cl::desc("parse, specialise, schedule, lower, llvm, optimise, ptx (on "
             "the host: asm); default: the last. Where there are ptxas and "
             "nvdisasm also sass, a GPU's machine code"));
static cl::opt<std::string> printAfter(
    "print-after", cl::sub(tool::compileCommand), cl::cat(tool::category),
    cl::value_desc("pass"),
    cl::desc("Instead of a stage, print what a pass of MLIR or of LLVM's "
             "optimiser leaves, such as instcombine; a wrong name lists "
             "them"));
static cl::opt<std::string> output("o", cl::sub(tool::compileCommand),
                                   cl::cat(tool::category), cl::init("-"),
                                   cl::value_desc("file"),
                                   cl::desc("Where to write"));
static cl::opt<bool>
    timing("timing", cl::sub(tool::compileCommand), cl::cat(tool::category),
           cl::desc("Print the milliseconds of each stage on stderr"));

static cl::opt<std::string>
    modelFolder("model", cl::sub(tool::compileCommand), cl::cat(tool::category),
                cl::value_desc("folder"),
                cl::desc("A checkpoint: compile all kernels that its layers "
                         "may need into the file -o, for NIBBLE_KERNELS"));
static cl::opt<std::string>
    layerName("layer", cl::sub(tool::compileCommand), cl::cat(tool::category),
              cl::value_desc("name"),
              cl::desc("With --model: one layer instead of all"));
static cl::opt<std::string> formatName("format", cl::sub(tool::compileCommand),
                                       cl::cat(tool::category),
                                       cl::value_desc("name"),
                                       cl::desc(tool::formatHelp));
static cl::opt<std::string>
    types("dtype", cl::sub(tool::compileCommand), cl::cat(tool::category),
          cl::init("f16"), cl::value_desc("list"),
          cl::desc("With --model: types of x, f16, bf16 and f32"));
static cl::opt<std::string>
    ptxas("ptxas", cl::sub(tool::compileCommand), cl::cat(tool::category),
          cl::value_desc("path"),
          cl::desc("With --model or --emit=sass: the ptxas that makes cubins; "
                   "default: the one on PATH, if any; none, with --model: "
                   "leave cubins to the driver"));
static cl::list<std::string>
    tuning("tuning", cl::sub(tool::compileCommand), cl::cat(tool::category),
           cl::value_desc("file"),
           cl::desc("With --model: what nibble tune -o wrote; the results for "
                    "the layers go into the file, with the kernels that they "
                    "choose. May be given again"));

/// `given` and, for names that it does not mention, words of `defaults`.
static std::string withDefaults(StringRef given, StringRef defaults) {
  auto nameOf = [](StringRef word) {
    return word.take_front(word.find_first_of("=%@") + 1);
  };
  SmallVector<StringRef> words, more;
  SplitString(given, words, " ,\t\n");
  SplitString(defaults, more);
  for (StringRef each : more)
    if (none_of(words,
                [&](StringRef word) { return nameOf(word) == nameOf(each); }))
      words.push_back(each);
  return join(words, " ");
}

/// The machine code of a GPU.
static Result<std::string> emitSass(const CompileRequest &request) {
  Result<CompiledKernel> kernel = compile(request);
  if (!kernel.ok())
    return kernel.status();
  if (kernel->target == "host")
    return Status(ErrorCode::InvalidArgument,
                  "sass is a GPU's, and the target is host");
  Result<std::optional<tool::Ptxas>> found = tool::Ptxas::find(ptxas);
  if (!found.ok())
    return found.status();
  if (!*found)
    return Status(ErrorCode::NotFound, "sass needs a ptxas on PATH");
  Result<tool::Ptxas::Assembled> made =
      (*found)->assemble(kernel->code, kernel->target);
  if (!made.ok())
    return made.status();
  Result<std::optional<std::string>> text = tool::disassemble(made->cubin);
  if (!text.ok())
    return text.status();
  if (!*text)
    return Status(ErrorCode::NotFound, "sass needs an nvdisasm on PATH");
  return std::move(**text);
}

/// Refuses `options`, which would change nothing, by `why`.
static Status
refuse(std::initializer_list<std::reference_wrapper<const cl::Option>> options,
       const Twine &why) {
  for (const cl::Option &each : options)
    if (each.getNumOccurrences())
      return Status(ErrorCode::InvalidArgument,
                    ("--" + each.ArgStr + " " + why).str());
  return Status();
}

/// Refuses options that what is asked for has no use for.
static Status checkOptions() {
  if (modelFolder.getNumOccurrences())
    return refuse(
        {kernel, entry, config, schedule, stage, printAfter, timing},
        "is for one kernel, and --model compiles those of all layers");
  Status status =
      refuse({layerName, formatName, types, tuning}, "needs --model");
  if (status.ok() && stage != "sass")
    status = refuse({ptxas}, "needs --model or --emit=sass");
  if (status.ok() && !StringRef(kernel).ends_with(".mlir"))
    status = refuse({entry}, "needs a file as --kernel");
  if (status.ok() && printAfter.getNumOccurrences())
    status = refuse({stage}, "and --print-after print different things");
  return status;
}

Status tool::runCompile() {
  if (Status status = checkOptions(); !status.ok())
    return status;
  if (modelFolder.getNumOccurrences()) {
    if (output == "-")
      return Status(ErrorCode::InvalidArgument,
                    "--model needs -o, the file to write");
    return compileModel({modelFolder,
                         formatName,
                         layerName,
                         target,
                         types,
                         ptxas,
                         {tuning.begin(), tuning.end()},
                         output});
  }
  CompileRequest request;
  request.target = target;
  request.schedule = schedule;
  request.config = config;
  request.kernel = kernel;
  if (StringRef(kernel).ends_with(".mlir")) {
    Result<std::string> text = readFile(kernel);
    if (!text.ok())
      return text.status();
    request.text = std::move(*text);
    request.textName = kernel;
    request.kernel = entry;
    if (request.text.empty())
      return Status(ErrorCode::InvalidFile, "'" + kernel + "' is empty");
  } else if (request.kernel == "matmul_248") {
    StringRef blocks = target == "host" ? "BLOCK_M=1 BLOCK_N=256 BLOCK_K=64"
                                        : "BLOCK_M=64 BLOCK_N=64 BLOCK_K=32";
    request.config = withDefaults(
        config, ("BITS=4 GROUP_SIZE=128 ACT_ORDER=0 HAS_BIAS=0 GROUP_M=8 X=f16 "
                 "T=f16 Y=f16 S=f16 " +
                 blocks)
                    .str());
  }
  if (stage.empty())
    stage = stageNames(target).back().first;

  if (timing) {
    Result<CompiledKernel> compiled = compile(request);
    if (!compiled.ok())
      return compiled.status();
    double total = 0;
    for (const auto &[name, milliseconds] : compiled->milliseconds) {
      errs() << format("%-12s %8.2f ms\n", name.c_str(), milliseconds);
      total += milliseconds;
    }
    errs() << format("%-12s %8.2f ms\n", "all", total);
  }
  Result<std::string> text = !printAfter.empty()
                                 ? emitAfter(request, printAfter)
                             : stage == "sass" ? emitSass(request)
                                               : emit(request, stage);
  if (!text.ok())
    return text.status();
  return writeOutput(output, *text);
}
