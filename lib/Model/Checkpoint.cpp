//===- Model/Checkpoint.cpp - The quantized layers of a model -------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Checkpoint.h.
//
//===----------------------------------------------------------------------===//

#include "Model/Checkpoint.h"
#include "Model/GptqTensors.h"
#include "Support/Half.h"
#include "llvm/ADT/StringExtras.h"
#include <cstring>

using namespace nibble;
using namespace nibble::model;

static constexpr llvm::StringLiteral weightSuffix = ".qweight";

static Status invalid(const std::string &message) {
  return Status(ErrorCode::InvalidFile, message);
}

Result<Checkpoint> Checkpoint::open(const std::string &folder,
                                    std::optional<ZeroFormat> format) {
  Checkpoint result;
  Result<TensorFiles> files = TensorFiles::open(folder);
  if (!files.ok())
    return files.status();
  Result<CheckpointConfig> config = CheckpointConfig::read(folder);
  if (!config.ok())
    return config.status();
  result.files = std::move(*files);
  result.settings = std::move(*config);
  if (format)
    result.settings.format = *format;
  result.formatGiven = format.has_value();
  return result;
}

std::vector<std::string> Checkpoint::layerNames() const {
  std::vector<std::string> names;
  for (const auto &[name, tensor] : files.tensors())
    if (llvm::StringRef prefix = name; prefix.consume_back(weightSuffix))
      names.push_back(prefix.str());
  return names;
}

/// Copies `tensor`, which must have the dtype `dtype` and `rank` extents.
template <typename T>
static Status copy(const std::string &name, const FileTensor *tensor,
                   const char *dtype, size_t rank, std::vector<T> &into) {
  if (!tensor)
    return Status(ErrorCode::NotFound, "tensor '" + name + "' is missing");
  if (tensor->dtype != dtype)
    return Status(ErrorCode::Unsupported, "tensor '" + name + "' has dtype " +
                                              tensor->dtype + ", expected " +
                                              dtype);
  if (tensor->shape.size() != rank)
    return invalid("tensor '" + name + "' has " +
                   std::to_string(tensor->shape.size()) +
                   " extents, expected " + std::to_string(rank));
  into.resize(tensor->bytes.size() / sizeof(T));
  if (!into.empty())
    std::memcpy(into.data(), tensor->bytes.data(), into.size() * sizeof(T));
  return Status();
}

/// The numbers of `tensor`, of any floating-point type.
static Status copyFloats(const std::string &name, const FileTensor *tensor,
                         size_t rank, std::vector<float> &into) {
  if (tensor && tensor->dtype == "F32")
    return copy(name, tensor, "F32", rank, into);
  bool bfloat = tensor && tensor->dtype == "BF16";
  std::vector<uint16_t> halves;
  if (Status status = copy(name, tensor, bfloat ? "BF16" : "F16", rank, halves);
      !status.ok())
    return status;
  for (uint16_t bits : halves)
    into.push_back(bfloat ? bfloatToFloat(bits) : halfToFloat(bits));
  return Status();
}

static Status checkShape(const std::string &name, const FileTensor &tensor,
                         llvm::ArrayRef<int64_t> expected) {
  if (llvm::ArrayRef(tensor.shape) == expected)
    return Status();
  auto spelled = [](llvm::ArrayRef<int64_t> shape) {
    std::string text;
    for (int64_t extent : shape)
      text += (text.empty() ? "[" : ", ") + std::to_string(extent);
    return text + "]";
  };
  return invalid("tensor '" + name + "' has shape " + spelled(tensor.shape) +
                 ", expected " + spelled(expected));
}

/// Which format symmetric zero points give away; nothing if they do not.
static std::optional<ZeroFormat> formatOfZeros(const Layer &layer) {
  uint32_t middle = 1u << (layer.bits - 1);
  bool v1 = true, v2 = true;
  Codec codec = layer.codec();
  int64_t rowWords = codec.words(layer.outFeatures);
  for (int64_t g = 0; g < layer.groups; ++g)
    for (int64_t n = 0; n < layer.outFeatures; ++n) {
      uint32_t stored = codec.get(&layer.qzeros[g * rowWords], 1, n);
      v1 &= stored == middle - 1;
      v2 &= stored == middle;
    }
  if (v1)
    return ZeroFormat::V1;
  return v2 ? std::optional(ZeroFormat::V2) : std::nullopt;
}

Result<Layer> Checkpoint::load(const std::string &name) const {
  auto tensorName = [&](const char *part) { return name + "." + part; };
  auto find = [&](const char *part) { return files.find(tensorName(part)); };
  const FileTensor *qweight = find("qweight");
  if (!qweight)
    return Status(ErrorCode::NotFound,
                  "there is no layer '" + name + "': tensor '" +
                      tensorName("qweight") + "' is missing");
  Result<LayerSettings> settings = this->settings.settingsOf(name);
  if (!settings.ok())
    return settings.status();

  Layer layer;
  std::vector<float> scales;
  Status status = copy(tensorName("qweight"), qweight, "I32", 2, layer.qweight);
  if (status.ok())
    status = copy(tensorName("qzeros"), find("qzeros"), "I32", 2, layer.qzeros);
  if (status.ok())
    status = copyFloats(tensorName("scales"), find("scales"), 2, scales);
  if (!status.ok())
    return status;
  if (!Codec::takes(settings->bits))
    return Status(ErrorCode::Unsupported,
                  "layer '" + name + "' has " + std::to_string(settings->bits) +
                      " bits; nibble takes " + Codec::widthsText);
  layer.bits = static_cast<int>(settings->bits);
  Codec codec = layer.codec();
  layer.outFeatures = qweight->shape[1];
  if (qweight->shape[0] > INT64_MAX / 32)
    return invalid("tensor '" + tensorName("qweight") +
                   "' has more rows than fit 63 bits");
  layer.inFeatures = codec.codes(qweight->shape[0]);
  layer.groupSize = settings->groupSize;
  Result<int64_t> groupSize = checkSizes(layer.bits, layer.groupSize,
                                         layer.inFeatures, layer.outFeatures);
  if (!groupSize.ok())
    return Status(ErrorCode::InvalidFile,
                  "layer '" + name + "': " + groupSize.status().message());
  layer.groups = groupCount(layer.inFeatures, *groupSize);
  status = checkShape(tensorName("qzeros"), *find("qzeros"),
                      {layer.groups, codec.words(layer.outFeatures)});
  if (status.ok())
    status = checkShape(tensorName("scales"), *find("scales"),
                        {layer.groups, layer.outFeatures});
  if (status.ok() && find("g_idx")) {
    status = copy(tensorName("g_idx"), find("g_idx"), "I32", 1, layer.gIdx);
    if (status.ok())
      status =
          checkShape(tensorName("g_idx"), *find("g_idx"), {layer.inFeatures});
  } else if (status.ok()) {
    for (int64_t k = 0; k < layer.inFeatures; ++k)
      layer.gIdx.push_back(static_cast<int32_t>(k / *groupSize));
  }
  if (status.ok() && find("bias")) {
    status = copyFloats(tensorName("bias"), find("bias"), 1, layer.bias);
    if (status.ok())
      status =
          checkShape(tensorName("bias"), *find("bias"), {layer.outFeatures});
  }
  if (!status.ok())
    return status;

  ZeroFormat format = this->settings.format;
  if (std::optional<ZeroFormat> seen = formatOfZeros(layer);
      settings->symmetric && !formatGiven && seen && *seen != format)
    return invalid("layer '" + name + "': the checkpoint says that it is " +
                   (format == ZeroFormat::V1 ? "gptq" : "gptq_v2") +
                   " and symmetric, but its zero points are those of " +
                   (*seen == ZeroFormat::V1 ? "gptq" : "gptq_v2") +
                   "; name the format to overrule it");
  if (format == ZeroFormat::V2)
    layer.qzeros = shiftedZeros(layer, -1);
  layer.setScales(scales);
  if (status = checkLayer(layer); !status.ok())
    return Status(ErrorCode::InvalidFile,
                  "layer '" + name + "': " + status.message());
  return layer;
}
