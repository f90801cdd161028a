//===- Model/Checkpoint.cpp - The quantized layers of a model -------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Checkpoint.h.
//
//===----------------------------------------------------------------------===//

#include "Model/Checkpoint.h"
#include "llvm/ADT/StringExtras.h"

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

static std::string spelled(llvm::ArrayRef<int64_t> shape) {
  std::string text = "[";
  for (int64_t extent : shape)
    text += (text.size() == 1 ? "" : ", ") + std::to_string(extent);
  return text + "]";
}

/// Reads `tensor`, which must have the dtype `dtype` and the shape `expected`.
template <typename T>
static Status read(const std::string &name, const FileTensor *tensor,
                   const char *dtype, llvm::ArrayRef<int64_t> expected,
                   std::vector<T> &into) {
  if (!tensor)
    return Status(ErrorCode::NotFound, "tensor '" + name + "' is missing");
  if (tensor->dtype != dtype)
    return Status(ErrorCode::Unsupported, "tensor '" + name + "' has dtype " +
                                              tensor->dtype + ", expected " +
                                              dtype);
  if (llvm::ArrayRef(tensor->shape) != expected)
    return invalid("tensor '" + name + "' has shape " + spelled(tensor->shape) +
                   ", expected " + spelled(expected));
  into.resize(tensor->bytes.size() / sizeof(T));
  return tensor->bytes.read(
      {reinterpret_cast<uint8_t *>(into.data()), into.size() * sizeof(T)});
}

/// Which format symmetric zero points give away; nothing if they do not.
static std::optional<ZeroFormat> formatOfZeros(const Layer &layer) {
  uint32_t v1 = 0, v2 = 0;
  for (int shift = 0; shift < 32; shift += layer.bits) {
    v1 |= ((1u << (layer.bits - 1)) - 1) << shift;
    v2 |= (1u << (layer.bits - 1)) << shift;
  }
  auto all = [&](uint32_t word) {
    return llvm::all_of(layer.qzeros, [&](int32_t each) {
      return static_cast<uint32_t>(each) == word;
    });
  };
  if (layer.qzeros.empty())
    return std::nullopt;
  if (all(v1))
    return ZeroFormat::V1;
  return all(v2) ? std::optional(ZeroFormat::V2) : std::nullopt;
}

/// Zero points as they are to zero points minus one, modulo 2^bits each.
static void subtractOne(Layer &layer) {
  uint32_t mask = maxCode(layer.bits);
  for (int32_t &word : layer.qzeros) {
    uint32_t from = static_cast<uint32_t>(word), to = 0;
    for (int shift = 0; shift < 32; shift += layer.bits)
      to |= (((from >> shift) - 1) & mask) << shift;
    word = static_cast<int32_t>(to);
  }
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

  if (settings->bits != 2 && settings->bits != 4 && settings->bits != 8)
    return Status(ErrorCode::Unsupported, "layer '" + name + "' has " +
                                              std::to_string(settings->bits) +
                                              " bits; nibble takes 2, 4 and 8");
  Layer layer;
  layer.bits = static_cast<int>(settings->bits);
  int64_t perWord = codesPerWord(layer.bits);
  if (qweight->shape.size() != 2)
    return invalid("tensor '" + tensorName("qweight") + "' has shape " +
                   spelled(qweight->shape) + ", expected [K / " +
                   std::to_string(perWord) + ", N]");
  layer.outFeatures = qweight->shape[1];
  if (__builtin_mul_overflow(qweight->shape[0], perWord, &layer.inFeatures))
    return invalid("tensor '" + tensorName("qweight") +
                   "' has more rows than fit 63 bits");
  layer.groupSize = settings->groupSize;
  Result<int64_t> groupSize = checkSizes(layer.bits, layer.groupSize,
                                         layer.inFeatures, layer.outFeatures);
  if (!groupSize.ok())
    return Status(ErrorCode::InvalidFile,
                  "layer '" + name + "': " + groupSize.status().message());
  layer.groups = layer.inFeatures / *groupSize;
  auto readPart = [&](const char *part, const char *dtype,
                      llvm::ArrayRef<int64_t> expected, auto &into) {
    return read(tensorName(part), find(part), dtype, expected, into);
  };
  Status status = readPart("qweight", "I32", qweight->shape, layer.qweight);
  if (status.ok())
    status =
        readPart("qzeros", "I32", {layer.groups, layer.outFeatures / perWord},
                 layer.qzeros);
  if (status.ok())
    status = readPart("scales", "F16", {layer.groups, layer.outFeatures},
                      layer.scales);
  if (status.ok() && find("g_idx"))
    status = readPart("g_idx", "I32", {layer.inFeatures}, layer.gIdx);
  else if (status.ok())
    for (int64_t k = 0; k < layer.inFeatures; ++k)
      layer.gIdx.push_back(static_cast<int32_t>(k / *groupSize));
  if (status.ok() && find("bias"))
    status = readPart("bias", "F16", {layer.outFeatures}, layer.bias);
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
    subtractOne(layer);
  if (status = checkLayer(layer); !status.ok())
    return Status(ErrorCode::InvalidFile,
                  "layer '" + name + "': " + status.message());
  return layer;
}
