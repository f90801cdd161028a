//===- Model/Convert.cpp - Any checkpoint as a GPTQ checkpoint ------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Convert.h.
//
//===----------------------------------------------------------------------===//

#include "Model/Convert.h"
#include "Model/CheckpointWriter.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Regex.h"
#include <set>

using namespace nibble;
using namespace nibble::model;
namespace json = llvm::json;

namespace {

/// What a new checkpoint's settings say of a layer.
struct LayerKind {
  std::string name;
  int64_t inFeatures = 0, bits = 0;
  /// -1 for one group.
  int64_t groupSize = 0;

  /// True if the settings of `other` mean the same for this layer.
  bool isLike(const LayerKind &other) const {
    auto rows = [&](int64_t size) {
      return size == -1 ? inFeatures : std::min(size, inFeatures);
    };
    return bits == other.bits && rows(groupSize) == rows(other.groupSize);
  }
};

/// Collects what the new settings have to say.
class NewSettings {
public:
  void add(const std::string &name, const Layer &layer) {
    LayerKind kind{name, layer.inFeatures, layer.bits,
                   layer.groups == 1 ? -1 : layer.groupSize};
    kinds.push_back(std::move(kind));
    actOrder |= layer.actOrder;
    symmetric &= layer.isSymmetric();
  }
  /// Layer `name` is not quantized, though its model's layers are.
  void skip(const std::string &name) { skipped.push_back(name); }

  json::Object toJson(Format format) const {
    LayerKind most = mostCommon();
    json::Object dynamic;
    for (const std::string &name : skipped)
      dynamic["-:" + llvm::Regex::escape(name) + "$"] = json::Object();
    for (const LayerKind &kind : kinds)
      if (!kind.isLike(most))
        dynamic["+:" + llvm::Regex::escape(kind.name) + "$"] =
            json::Object{{"bits", kind.bits}, {"group_size", kind.groupSize}};
    json::Object settings{
        {"quant_method", "gptq"},
        {"checkpoint_format", formatName(format)},
        {"bits", most.bits},
        {"group_size", most.groupSize},
        {"desc_act", actOrder},
        {"sym", symmetric},
        {"pack_dtype", "int32"},
        {"lm_head", llvm::any_of(kinds, [](const LayerKind &kind) {
           return kind.name == "lm_head";
         })}};
    if (!dynamic.empty())
      settings["dynamic"] = std::move(dynamic);
    return settings;
  }

private:
  /// The layer whose settings fit most layers; there is at least one.
  LayerKind mostCommon() const {
    std::set<std::pair<int64_t, int64_t>> tried;
    LayerKind best;
    int64_t most = 0;
    for (const LayerKind &each : kinds) {
      if (!tried.emplace(each.bits, each.groupSize).second)
        continue;
      int64_t fit = llvm::count_if(
          kinds, [&](const LayerKind &kind) { return kind.isLike(each); });
      if (fit > most) {
        most = fit;
        best = each;
      }
    }
    return best;
  }

  std::vector<LayerKind> kinds;
  std::vector<std::string> skipped;
  bool actOrder = false, symmetric = true;
};

} // namespace

Result<Converted> model::convert(const Checkpoint &from,
                                 const std::string &folder,
                                 const std::string &out,
                                 const ConvertOptions &options) {
  std::vector<std::string> list = from.layerNames();
  std::set<std::string> names(list.begin(), list.end());
  if (names.empty())
    return Status(ErrorCode::NotFound,
                  "'" + folder + "' has no quantized layer");
  Result<CheckpointWriter> writer =
      CheckpointWriter::create(out, folder, options.fileBytes);
  if (!writer.ok())
    return writer.status();
  NewSettings settings;
  Converted done;
  for (const std::string &name : list) {
    if (options.progress)
      options.progress(name);
    Result<Layer> layer = from.load(name);
    if (!layer.ok())
      return layer.status();
    settings.add(name, *layer);
    if (Status status = writer->add(name, *layer, options.to); !status.ok())
      return status;
    ++done.layers;
    done.wideScales += layer->scaleType() == DType::F32;
  }
  for (const auto &[name, tensor] : from.files().tensors()) {
    auto [layer, part] = llvm::StringRef(name).rsplit('.');
    if (names.count(layer.str()) && from.isLayerPart(part))
      continue;
    if (part == "weight" && from.config().skipOf(layer.str()))
      settings.skip(layer.str());
    if (Status status = writer->copy(name, *tensor); !status.ok())
      return status;
  }
  if (Status status = writer->finish(settings.toJson(options.to)); !status.ok())
    return status;
  done.tensors = writer->tensorCount();
  done.files = writer->fileCount();
  return done;
}
