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
#include "Model/CheckpointWriter.h"
#include "Model/Gptq.h"
#include "Model/Pack.h"
#include "Model/TensorFiles.h"
#include "Table.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Regex.h"
#include "llvm/Support/raw_ostream.h"
#include <optional>

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
                         cl::desc("2, 3, 4 or 8 (default: 4)"));
static cl::opt<int64_t> groupSize("group-size", cl::sub(quantizeCommand),
                                  cl::cat(category), cl::init(128),
                                  cl::value_desc("rows"),
                                  cl::desc("-1 for one group (default: 128)"));
static cl::opt<bool> symmetric("sym", cl::sub(quantizeCommand),
                               cl::cat(category),
                               cl::desc("Zero points in the middle"));
static cl::opt<std::string> skip("skip", cl::sub(quantizeCommand),
                                 cl::cat(category),
                                 cl::init("embed|lm_head|norm"),
                                 cl::value_desc("regex"),
                                 cl::desc("Tensors that stay as they are; '' "
                                          "for none (default: "
                                          "embed|lm_head|norm)"));

static cl::opt<std::string> calibration(
    "calibration", cl::sub(quantizeCommand), cl::cat(category),
    cl::value_desc("file"),
    cl::desc("Use GPTQ, with the inputs of layer NAME in tensor NAME.input, "
             "[..., K], of this safetensors file or folder"));
static cl::opt<double> damping("damp", cl::sub(quantizeCommand),
                               cl::cat(category), cl::init(0.01),
                               cl::value_desc("share"),
                               cl::desc("GPTQ: share of the Hessian's mean "
                                        "diagonal that is added to it "
                                        "(default: 0.01)"));
static cl::opt<bool> actOrder("act-order", cl::sub(quantizeCommand),
                              cl::cat(category),
                              cl::desc("GPTQ: rows with large inputs first"));
static cl::opt<bool> staticGroups("static-groups", cl::sub(quantizeCommand),
                                  cl::cat(category),
                                  cl::desc("GPTQ: with --act-order, groups of "
                                           "rows in order"));

/// The tensors of a layer: those of a quantized one take the others' place.
static constexpr StringLiteral layerParts[] = {"weight", "bias",   "qweight",
                                               "qzeros", "scales", "g_idx"};

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

/// The names of the linear layers of `files` that are not `skipped`.
static StringSet<> layersOf(const model::TensorFiles &files,
                            const std::optional<Regex> &skipped) {
  StringSet<> layers;
  for (const auto &[name, tensor] : files.tensors()) {
    StringRef prefix = name;
    if (prefix.consume_back(".weight") && tensor->shape.size() == 2 &&
        model::floatType(tensor->dtype) && !(skipped && skipped->match(name)))
      layers.insert(prefix);
  }
  return layers;
}

/// Layer `name`, whose weight is `tensor`, quantized.
static Result<model::Layer> quantized(const std::string &name,
                                      const model::FileTensor &tensor,
                                      const model::TensorFiles &files,
                                      const model::TensorFiles &inputs) {
  int64_t N = tensor.shape[0], K = tensor.shape[1];
  Result<model::Layer> layer = model::emptyLayer(bits, groupSize, K, N, false);
  if (!layer.ok())
    return layer;
  std::vector<float> bias;
  std::string biasName = name + ".bias";
  if (const model::FileTensor *found = files.find(biasName)) {
    if (found->shape != std::vector<int64_t>{N})
      return Status(ErrorCode::InvalidFile,
                    "tensor '" + biasName + "' is not its bias");
    Result<std::vector<float>> read = model::readFloats(*found);
    if (!read.ok())
      return read.status().withContext("tensor '" + biasName + "'");
    bias = std::move(*read);
  }
  Result<std::vector<float>> weight = model::readFloats(tensor);
  if (!weight.ok())
    return weight.status();
  Status status = calibration.empty()
                      ? roundToNearest(*layer, *weight, bias)
                      : calibrated(*layer, *weight, bias, inputs, name);
  return status.ok() ? std::move(layer) : status;
}

/// The settings of the new checkpoint.
static json::Object settings() {
  json::Object object{{"bits", bits.getValue()},
                      {"group_size", groupSize.getValue()},
                      {"desc_act", actOrder.getValue()},
                      {"static_groups", staticGroups.getValue()},
                      {"sym", symmetric.getValue()},
                      {"quant_method", "gptq"},
                      {"checkpoint_format", "gptq"},
                      {"pack_dtype", "int32"}};
  if (!calibration.empty())
    object["damp_percent"] = damping.getValue();
  return object;
}

Status tool::runQuantize() {
  if (Result<int64_t> sizes = model::checkSizes(bits, -1, 32, 32); !sizes.ok())
    return sizes.status();
  if (groupSize != -1 && groupSize < 1)
    return Status(ErrorCode::InvalidArgument,
                  "--group-size is " + std::to_string(groupSize) +
                      "; it must be -1 or positive");
  std::optional<Regex> skipped;
  if (!skip.empty()) // which is no regular expression
    skipped.emplace(skip);
  std::string error;
  if (skipped && !skipped->isValid(error))
    return Status(ErrorCode::InvalidArgument,
                  "--skip is '" + skip + "': " + error);
  if (calibration.empty() && (actOrder || staticGroups))
    return Status(ErrorCode::InvalidArgument,
                  "--act-order and --static-groups need --calibration");
  Result<model::TensorFiles> inputs = model::TensorFiles();
  if (!calibration.empty())
    inputs = model::TensorFiles::open(calibration);
  if (!inputs.ok())
    return inputs.status();
  Result<model::TensorFiles> files = model::TensorFiles::open(input);
  if (!files.ok())
    return files.status();
  StringSet<> layers = layersOf(*files, skipped);
  if (layers.empty())
    return Status(ErrorCode::NotFound,
                  "'" + input +
                      "' has no linear layer to quantize: no F16, "
                      "BF16 or F32 tensor *.weight with two extents "
                      "that --skip leaves");
  Result<model::CheckpointWriter> writer =
      model::CheckpointWriter::create(outFolder, input);
  if (!writer.ok())
    return writer.status();

  Progress progress;
  size_t done = 0;
  for (const auto &[name, tensor] : files->tensors()) {
    progress.show(std::to_string(++done) + "/" +
                  std::to_string(files->tensors().size()) + " " + name);
    auto [prefix, part] = StringRef(name).rsplit('.');
    Status status;
    if (!layers.contains(prefix) || !is_contained(layerParts, part)) {
      // What is not quantized goes along as it is.
      status = writer->copy(name, *tensor);
    } else if (part == "weight") {
      Result<model::Layer> layer =
          quantized(prefix.str(), *tensor, *files, *inputs);
      if (!layer.ok())
        return layer.status().withContext("tensor '" + name + "'");
      status = writer->add(prefix.str(), *layer, model::Format::Gptq);
    }
    if (!status.ok())
      return status;
  }
  if (Status status = writer->finish(settings()); !status.ok())
    return status;
  outs() << layers.size() << " layers quantized, " << writer->tensorCount()
         << " tensors written to " << outFolder << " in " << writer->fileCount()
         << (writer->fileCount() == 1 ? " file" : " files") << "\n";
  return Status();
}
