//===- Convert.cpp - nibble convert ---------------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes a checkpoint of any format that nibble reads as one of GPTQ's.
//
//===----------------------------------------------------------------------===//

#include "Model/Convert.h"
#include "Commands.h"
#include "Layers.h"
#include "Table.h"
#include "llvm/Support/raw_ostream.h"

using namespace nibble;
using namespace nibble::tool;
using namespace llvm;

cl::SubCommand tool::convertCommand(
    "convert", "Write a checkpoint as a GPTQ checkpoint, bit for bit");

static cl::opt<std::string> input(cl::Positional, cl::Required,
                                  cl::sub(convertCommand), cl::cat(category),
                                  cl::desc("DIR"));
static cl::opt<std::string> output(cl::Positional, cl::Required,
                                   cl::sub(convertCommand), cl::cat(category),
                                   cl::desc("OUT"));
static cl::opt<std::string> to(
    "to", cl::sub(convertCommand), cl::cat(category), cl::init("gptq"),
    cl::value_desc("name"),
    cl::desc("gptq (zero points stored minus one) or gptq_v2 (as they are)"));
static cl::opt<std::string> formatName("format", cl::sub(convertCommand),
                                       cl::cat(category),
                                       cl::value_desc("name"),
                                       cl::desc(formatHelp));

Status tool::runConvert() {
  if (to != "gptq" && to != "gptq_v2")
    return Status(ErrorCode::InvalidArgument,
                  "--to is '" + to + "', expected gptq or gptq_v2");
  Result<model::Checkpoint> checkpoint =
      model::Checkpoint::open(input, formatName);
  if (!checkpoint.ok())
    return checkpoint.status();
  Progress progress;
  size_t count = 0, all = checkpoint->layerNames().size();
  auto show = [&](const std::string &name) {
    progress.show(std::to_string(++count) + "/" + std::to_string(all) + " " +
                  name);
  };
  model::ConvertOptions options;
  options.to = *model::parseFormat(to);
  options.progress = show;
  Result<model::Converted> done =
      model::convert(*checkpoint, input, output, options);
  if (!done.ok())
    return done.status();
  outs() << done->layers << " layers converted, " << done->tensors
         << " tensors written to " << output << " in " << done->files
         << (done->files == 1 ? " file" : " files") << "\n";
  if (done->wideScales)
    outs() << "fp16 does not hold the scales of " << done->wideScales
           << " layers, which are F32\n";
  return Status();
}
