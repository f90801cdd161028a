//===- Quantize.cpp - nibble quantize -------------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes a GPTQ checkpoint: by GPTQ itself where the layers' inputs are given,
// else by rounding to nearest, for having something to run and not for the best
// accuracy.
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "Model/Gptq.h"
#include "Model/GptqTensors.h"
#include "Model/Pack.h"
#include "Model/TensorFiles.h"
#include "Support/Files.h"
#include "Table.h"
#include "nibble/DType.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Regex.h"
#include "llvm/Support/raw_ostream.h"
#include <list>
#include <set>

using namespace nibble;
using namespace nibble::tool;
using namespace llvm;

cl::SubCommand tool::quantizeCommand(
    "quantize",
    "Write a GPTQ checkpoint from fp16, bf16 or fp32 linear layers");

static cl::opt<std::string> input(cl::Positional, cl::Required,
                                  cl::sub(quantizeCommand), cl::cat(category),
                                  cl::desc("IN.safetensors (or a folder)"));
static cl::opt<std::string> outFolder(cl::Positional, cl::Required,
                                      cl::sub(quantizeCommand),
                                      cl::cat(category), cl::desc("OUT_DIR"));
static cl::opt<int> bits("bits", cl::sub(quantizeCommand), cl::cat(category),
                         cl::init(4), cl::value_desc("number"),
                         cl::desc("2, 3, 4 or 8"));
static cl::opt<int64_t> groupSize("group-size", cl::sub(quantizeCommand),
                                  cl::cat(category), cl::init(128),
                                  cl::value_desc("rows"),
                                  cl::desc("-1 for one group"));
static cl::opt<bool> symmetric("sym", cl::sub(quantizeCommand),
                               cl::cat(category),
                               cl::desc("Zero points in the middle"));
static cl::opt<std::string> skip("skip", cl::sub(quantizeCommand),
                                 cl::cat(category),
                                 cl::init("embed|lm_head|norm"),
                                 cl::value_desc("regex"),
                                 cl::desc("Tensors that stay as they are"));

static cl::opt<std::string> calibration(
    "calibration", cl::sub(quantizeCommand), cl::cat(category),
    cl::value_desc("file"),
    cl::desc("Use GPTQ, with the inputs of layer NAME in tensor NAME.input, "
             "[..., K], of this safetensors file or folder"));
static cl::opt<double> damping("damp", cl::sub(quantizeCommand),
                               cl::cat(category), cl::init(0.01),
                               cl::value_desc("share"),
                               cl::desc("GPTQ: share of the Hessian's mean "
                                        "diagonal that is added to it"));
static cl::opt<bool> actOrder("act-order", cl::sub(quantizeCommand),
                              cl::cat(category),
                              cl::desc("GPTQ: rows with large inputs first"));
static cl::opt<bool> staticGroups("static-groups", cl::sub(quantizeCommand),
                                  cl::cat(category),
                                  cl::desc("GPTQ: with --act-order, groups of "
                                           "rows in order"));

namespace {
/// The tensors to write, and what they belong to.
struct Output {
  std::list<std::vector<model::OwnedTensor>> layers;
  std::list<std::vector<uint8_t>> copies;
  std::vector<model::TensorToWrite> tensors;

  void add(const std::string &prefix, const model::Layer &layer) {
    layers.push_back(model::gptqTensors(prefix, layer, model::Format::Gptq));
    for (const model::OwnedTensor &each : layers.back())
      tensors.push_back(each.view());
  }
};
} // namespace

/// Fills `layer` without knowing its inputs.
static Status roundToNearest(model::Layer &layer, ArrayRef<float> weight,
                             ArrayRef<float> bias) {
  std::vector<float> scales, zeros;
  model::fitScales(weight, layer.inFeatures, layer.outFeatures, layer.bits,
                   layer.groupSize, symmetric, scales, zeros);
  return model::packLayer(layer, weight, scales, zeros, {}, bias);
}

/// Fills layer `name` by GPTQ.
static Status calibrated(model::Layer &layer, ArrayRef<float> weight,
                         ArrayRef<float> bias, const model::TensorFiles &inputs,
                         const std::string &name) {
  std::string inputName = name + ".input";
  const model::FileTensor *tensor = inputs.find(inputName);
  if (!tensor)
    return Status(ErrorCode::NotFound,
                  "'" + calibration + "' has no tensor '" + inputName + "'");
  auto context = [&](const Status &status) {
    return status.withContext("tensor '" + inputName + "'");
  };
  if (tensor->shape.empty() || tensor->shape.back() != layer.inFeatures)
    return context(Status(
        ErrorCode::InvalidFile,
        "has last extent " +
            (tensor->shape.empty() ? std::string("(none)")
                                   : std::to_string(tensor->shape.back())) +
            ", expected " + std::to_string(layer.inFeatures)));
  Result<std::vector<float>> x = model::readFloats(*tensor);
  if (!x.ok())
    return context(x.status());
  model::GptqOptions options;
  options.bits = layer.bits;
  options.groupSize = layer.groupSize;
  options.symmetric = symmetric;
  options.damping = damping;
  options.actOrder = actOrder;
  options.staticGroups = staticGroups;
  Result<model::GptqResult> result =
      model::gptq(weight, layer.inFeatures, *x, options);
  if (!result.ok())
    return result.status();
  return model::packLayer(layer, result->weight, result->scales, result->zeros,
                          result->gIdx, bias);
}

Status tool::runQuantize() {
  if (Result<int64_t> sizes = model::checkSizes(bits, -1, 32, 32); !sizes.ok())
    return sizes.status();
  if (groupSize != -1 && groupSize < 1)
    return Status(ErrorCode::InvalidArgument,
                  "--group-size is " + std::to_string(groupSize) +
                      "; it must be -1 or positive");
  std::string error;
  Regex skipped(skip);
  if (!skipped.isValid(error))
    return Status(ErrorCode::InvalidArgument,
                  "--skip is '" + skip + "': " + error);
  if (calibration.empty() && (actOrder || staticGroups))
    return Status(ErrorCode::InvalidArgument,
                  "--act-order and --static-groups need --calibration");
  Result<NewFolder> folder = NewFolder::create(outFolder);
  if (!folder.ok())
    return folder.status();
  Result<model::TensorFiles> inputs = model::TensorFiles();
  if (!calibration.empty())
    inputs = model::TensorFiles::open(calibration);
  if (!inputs.ok())
    return inputs.status();
  Result<model::TensorFiles> files = model::TensorFiles::open(input);
  if (!files.ok())
    return files.status();

  Output output;
  Progress progress;
  size_t done = 0;
  StringSet<> biases; // that went into a layer
  for (const auto &[name, tensor] : files->tensors()) {
    progress.show(std::to_string(++done) + "/" +
                  std::to_string(files->tensors().size()) + " " + name);
    StringRef prefix = name;
    std::optional<DType> type = model::floatType(tensor->dtype);
    if (!prefix.consume_back(".weight") || tensor->shape.size() != 2 || !type ||
        (!skip.empty() && skipped.match(name)))
      continue;
    int64_t N = tensor->shape[0], K = tensor->shape[1];
    Result<model::Layer> layer =
        model::emptyLayer(bits, groupSize, K, N, false);
    if (!layer.ok())
      return layer.status().withContext("tensor '" + name + "'");
    Result<std::vector<float>> weight = model::readFloats(*tensor);
    Result<std::vector<float>> bias = std::vector<float>();
    std::string biasName = (prefix + ".bias").str();
    if (const model::FileTensor *found = files->find(biasName)) {
      if (found->shape != std::vector<int64_t>{N})
        return Status(ErrorCode::InvalidFile, "tensor '" + biasName +
                                                  "' is not the bias of '" +
                                                  name + "'");
      bias = model::readFloats(*found);
      if (!bias.ok())
        return bias.status().withContext("tensor '" + biasName + "'");
      biases.insert(biasName);
    }
    if (!weight.ok())
      return weight.status().withContext("tensor '" + name + "'");
    Status status = calibration.empty() ? roundToNearest(*layer, *weight, *bias)
                                        : calibrated(*layer, *weight, *bias,
                                                     *inputs, prefix.str());
    if (!status.ok())
      return status.withContext("tensor '" + name + "'");
    output.add(prefix.str(), *layer);
  }
  if (output.layers.empty())
    return Status(ErrorCode::NotFound,
                  "'" + input +
                      "' has no linear layer to quantize: no F16, "
                      "BF16 or F32 tensor *.weight with two extents "
                      "that --skip leaves");
  // What is not quantized goes along as it is.
  std::set<std::string> written;
  for (const model::TensorToWrite &each : output.tensors)
    written.insert(each.name);
  for (const auto &[name, tensor] : files->tensors()) {
    std::string asLayer = StringRef(name).ends_with(".weight")
                              ? name.substr(0, name.size() - 7) + ".qweight"
                              : "";
    if (!biases.contains(name) && !written.count(name) &&
        !written.count(asLayer)) {
      Result<std::vector<uint8_t>> bytes = tensor->bytes.read();
      if (!bytes.ok())
        return bytes.status();
      output.copies.push_back(std::move(*bytes));
      output.tensors.push_back(
          {name, tensor->dtype, tensor->shape, output.copies.back()});
    }
  }

  json::Object config{{"bits", bits.getValue()},
                      {"group_size", groupSize.getValue()},
                      {"desc_act", actOrder.getValue()},
                      {"static_groups", staticGroups.getValue()},
                      {"sym", symmetric.getValue()},
                      {"quant_method", "gptq"},
                      {"checkpoint_format", "gptq"},
                      {"pack_dtype", "int32"}};
  if (!calibration.empty())
    config["damp_percent"] = damping.getValue();
  Status status = model::writeSafetensors(folder->path() + "/model.safetensors",
                                          output.tensors);
  if (status.ok())
    status =
        writeFile(folder->path() + "/quantize_config.json",
                  {formatv("{0:2}\n", json::Value(std::move(config))).str()});
  if (status.ok())
    status = folder->commit();
  if (!status.ok())
    return status;
  outs() << output.layers.size() << " layers quantized, "
         << output.tensors.size() << " tensors written to " << outFolder
         << "\n";
  return Status();
}
