//===- Model/CheckpointConfig.cpp - How a checkpoint was quantized --------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See CheckpointConfig.h.
//
//===----------------------------------------------------------------------===//

#include "Model/CheckpointConfig.h"
#include "Model/Json.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>
#include <filesystem>

using namespace nibble;
using namespace nibble::model;
namespace fs = std::filesystem;
namespace json = llvm::json;
using llvm::StringRef;

static Status invalid(const std::string &message) {
  return Status(ErrorCode::InvalidFile, message);
}

static Status unsupported(const std::string &message) {
  return Status(ErrorCode::Unsupported, message);
}

static constexpr std::pair<Format, const char *> formats[] = {
    {Format::Gptq, "gptq"},
    {Format::GptqV2, "gptq_v2"},
    {Format::Awq, "awq"},
    {Format::CompressedTensors, "compressed-tensors"}};

const char *model::formatName(Format format) {
  return llvm::find_if(formats,
                       [&](auto &each) { return each.first == format; })
      ->second;
}

Result<Format> model::parseFormat(StringRef name) {
  for (auto [format, spelled] : formats)
    if (name == spelled)
      return format;
  return Status(ErrorCode::InvalidArgument,
                "format is '" + name.str() +
                    "', expected gptq, gptq_v2, awq or compressed-tensors");
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

/// The value of the first of `keys` that `object` has and that is not null.
static const json::Value *firstOf(const json::Object &object,
                                  std::initializer_list<const char *> keys,
                                  std::string &name) {
  for (const char *key : keys)
    if (const json::Value *value = object.get(key);
        value && value->kind() != json::Value::Null) {
      name = key;
      return value;
    }
  return nullptr;
}

/// A whole number, if one of `keys` is there.
static Status readNumber(const json::Object &object,
                         std::initializer_list<const char *> keys,
                         std::optional<int64_t> &into) {
  std::string name;
  const json::Value *value = firstOf(object, keys, name);
  if (!value)
    return Status();
  // Beyond 2^53, getAsInteger() may convert a double that no integer holds.
  if (std::optional<double> number = value->getAsNumber();
      number && std::abs(*number) <= 0x1p53)
    into = value->getAsInteger();
  return into ? Status() : invalid("'" + name + "' is not a whole number");
}

static Status readFlag(const json::Object &object, const char *key,
                       std::optional<bool> &into) {
  std::string name;
  const json::Value *value = firstOf(object, {key}, name);
  if (!value)
    return Status();
  into = value->getAsBoolean();
  return into ? Status() : invalid("'" + name + "' is not true or false");
}

/// A string, if one of `keys` is there.
static Status readString(const json::Object &object,
                         std::initializer_list<const char *> keys,
                         std::optional<std::string> &into) {
  std::string name;
  const json::Value *value = firstOf(object, keys, name);
  if (!value)
    return Status();
  std::optional<StringRef> text = value->getAsString();
  if (!text)
    return invalid("'" + name + "' is not a string");
  into = text->str();
  return Status();
}

/// The strings of a list, if it is there.
static Status readStrings(const json::Object &object, const char *key,
                          std::vector<std::string> &into) {
  std::string name;
  const json::Value *value = firstOf(object, {key}, name);
  if (!value)
    return Status();
  const json::Array *list = value->getAsArray();
  if (!list)
    return invalid("'" + name + "' is not a list");
  for (const json::Value &each : *list) {
    std::optional<StringRef> text = each.getAsString();
    if (!text)
      return invalid("'" + name + "' has what is not a string");
    into.push_back(text->str());
  }
  return Status();
}

/// Bits and the rows of a group, under any of their keys.
static Status readSizes(const json::Object &object,
                        std::optional<int64_t> &bits,
                        std::optional<int64_t> &groupSize) {
  Status status = readNumber(object, {"bits", "w_bit", "num_bits"}, bits);
  if (status.ok())
    status = readNumber(object, {"group_size", "q_group_size", "groupsize"},
                        groupSize);
  return status;
}

//===----------------------------------------------------------------------===//
// GPTQ and AWQ
//===----------------------------------------------------------------------===//

static Status readRules(const json::Object &object,
                        std::vector<DynamicRule> &rules) {
  std::string name;
  const json::Value *value = firstOf(object, {"dynamic"}, name);
  if (!value || (value->getAsBoolean() && !*value->getAsBoolean()))
    return Status();
  const json::Object *entries = value->getAsObject();
  if (!entries)
    return invalid("'dynamic' is not an object");
  for (const auto &[key, settings] : *entries) {
    StringRef text = key;
    bool skip = text.consume_front("-:");
    text.consume_front("+:");
    Result<NamePattern> pattern = NamePattern::expression(text);
    if (!pattern.ok())
      return pattern.status().withContext("'dynamic'");
    DynamicRule rule{*pattern, skip, {}, {}, {}};
    const json::Object *overrides = settings.getAsObject();
    if (!overrides && !skip)
      return invalid("'dynamic' has no object for '" + text.str() + "'");
    if (overrides) {
      Status status = readSizes(*overrides, rule.bits, rule.groupSize);
      if (status.ok())
        status = readFlag(*overrides, "sym", rule.symmetric);
      if (!status.ok())
        return status.withContext("'dynamic' for '" + text.str() + "'");
    }
    rules.push_back(std::move(rule));
  }
  return Status();
}

/// Reads what GPTQ's and AWQ's tools write, into `config`.
static Status readFlat(const json::Object &object, CheckpointConfig &config) {
  std::optional<std::string> type, version;
  std::optional<int64_t> bits, groupSize;
  std::optional<bool> symmetric, hasZeros;
  std::vector<std::string> skipped;
  config.skippedKey = "modules_to_not_convert";
  Status status = readString(object, {"pack_dtype"}, type);
  if (status.ok())
    status = readSizes(object, bits, groupSize);
  if (status.ok())
    status = readFlag(object, "sym", symmetric);
  if (status.ok())
    status = readRules(object, config.dynamic);
  if (status.ok())
    status = readStrings(object, config.skippedKey.c_str(), skipped);
  if (status.ok() && config.format == Format::Awq)
    status = readString(object, {"version"}, version);
  if (status.ok() && config.format == Format::Awq)
    status = readFlag(object, "zero_point", hasZeros);
  if (!status.ok())
    return status;
  if (type && *type != "int32")
    return unsupported("'pack_dtype' is '" + *type + "'; nibble reads int32");
  if (version && StringRef(*version).lower() != "gemm")
    return unsupported("'version' is '" + *version +
                       "'; nibble reads AWQ's gemm");
  if (!bits)
    return invalid("has no 'bits'");
  if (hasZeros)
    symmetric = !*hasZeros;
  config.settings = {*bits, groupSize.value_or(-1), symmetric.value_or(false)};
  for (const std::string &each : skipped)
    config.skipped.push_back(NamePattern::part(each));
  return Status();
}

//===----------------------------------------------------------------------===//
// compressed-tensors
//===----------------------------------------------------------------------===//

/// Names as compressed-tensors writes them: `re:` comes before expressions.
static Status readNames(const json::Object &object, const char *key,
                        std::vector<NamePattern> &into, bool *allLinear) {
  std::vector<std::string> texts;
  if (Status status = readStrings(object, key, texts); !status.ok())
    return status;
  for (StringRef text : texts) {
    if (text == "Linear" && allLinear) {
      *allLinear = true;
    } else if (text.consume_front("re:")) {
      Result<NamePattern> pattern = NamePattern::expression(text);
      if (!pattern.ok())
        return pattern.status().withContext("'" + std::string(key) + "'");
      into.push_back(*pattern);
    } else {
      into.push_back(NamePattern::whole(text));
    }
  }
  return Status();
}

/// Refuses a label that is there and not `expected`.
static Status expectLabel(const json::Object &object, const char *key,
                          StringRef expected) {
  std::optional<std::string> label;
  if (Status status = readString(object, {key}, label); !status.ok())
    return status;
  if (label && *label != expected)
    return unsupported("'" + std::string(key) + "' is '" + *label +
                       "'; nibble reads " + expected.str());
  return Status();
}

static Status readTargets(const json::Object &object, TargetGroup &group) {
  for (const char *key : {"input_activations", "output_activations"})
    if (std::string name; firstOf(object, {key}, name))
      return unsupported("'" + name +
                         "' is not null; nibble does not quantize activations");
  Status status = expectLabel(object, "format", "pack-quantized");
  if (status.ok())
    status = readNames(object, "targets", group.targets, &group.allLinear);
  if (!status.ok())
    return status;
  const json::Object *weights = object.getObject("weights");
  if (!weights)
    return invalid("has no object 'weights'");
  std::optional<std::string> strategy;
  std::optional<int64_t> bits, groupSize;
  std::optional<bool> symmetric;
  status = expectLabel(*weights, "type", "int");
  if (status.ok())
    status = readString(*weights, {"strategy"}, strategy);
  if (status.ok())
    status = readSizes(*weights, bits, groupSize);
  if (status.ok())
    status = readFlag(*weights, "symmetric", symmetric);
  if (!status.ok())
    return status;
  if (!bits)
    return invalid("has no 'num_bits'");
  bool byGroup = strategy ? *strategy == "group" : groupSize.has_value();
  if (strategy && !byGroup && *strategy != "channel" && *strategy != "tensor")
    return unsupported("'strategy' is '" + *strategy +
                       "'; nibble reads group, channel and tensor");
  if (byGroup && !groupSize)
    return invalid("has the strategy group and no 'group_size'");
  group.settings = {*bits, byGroup ? *groupSize : -1, symmetric.value_or(true)};
  return Status();
}

static Status readGroups(const json::Object &object, CheckpointConfig &config) {
  config.skippedKey = "ignore";
  std::string label;
  // Each group says its own format where a checkpoint has several.
  const json::Value *format = firstOf(object, {"format"}, label);
  if (!format || format->getAsString() != "mixed-precision")
    if (Status status = expectLabel(object, "format", "pack-quantized");
        !status.ok())
      return status;
  if (const json::Object *sparsity = object.getObject("sparsity_config"))
    if (Status status = expectLabel(*sparsity, "format", "dense"); !status.ok())
      return status.withContext("'sparsity_config'");
  if (Status status = readNames(object, "ignore", config.skipped, nullptr);
      !status.ok())
    return status;
  const json::Object *groups = object.getObject("config_groups");
  if (!groups)
    return invalid("has no object 'config_groups'");
  for (const auto &[key, value] : *groups) {
    const json::Object *entry = value.getAsObject();
    TargetGroup group;
    Status status =
        entry ? readTargets(*entry, group) : invalid("is not an object");
    if (!status.ok())
      return status.withContext("'config_groups' '" + key.str() + "'");
    config.groups.push_back(std::move(group));
  }
  return Status();
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

/// The format that `object` says it is of.
static Status readFormat(const json::Object &object, CheckpointConfig &config) {
  std::optional<std::string> method, label;
  if (Status status = readString(object, {"quant_method"}, method);
      !status.ok())
    return status;
  // AWQ's own tool writes no method, but keys that others do not have.
  if (!method)
    method = object.get("config_groups") ? "compressed-tensors"
             : object.get("zero_point") || object.get("version") ? "awq"
                                                                 : "gptq";
  if (*method == "compressed-tensors" || *method == "compressed_tensors") {
    config.format = Format::CompressedTensors;
    return Status();
  }
  if (*method == "awq") {
    config.format = Format::Awq;
    return Status();
  }
  if (*method != "gptq")
    return unsupported("'quant_method' is '" + *method +
                       "'; nibble reads gptq, awq and compressed-tensors");
  if (Status status =
          readString(object, {"checkpoint_format", "format"}, label);
      !status.ok())
    return status;
  config.labelled = label.has_value();
  config.format = label == "gptq_v2" ? Format::GptqV2 : Format::Gptq;
  if (label && *label != formatName(config.format))
    return unsupported("the checkpoint's format is '" + *label +
                       "'; nibble reads gptq and gptq_v2");
  return Status();
}

static Result<CheckpointConfig> readConfig(const json::Object &object,
                                           std::optional<Format> format) {
  CheckpointConfig config;
  Status status;
  if (format)
    config.format = *format;
  else
    status = readFormat(object, config);
  if (status.ok())
    status = config.format == Format::CompressedTensors
                 ? readGroups(object, config)
                 : readFlat(object, config);
  if (!status.ok())
    return status;
  return config;
}

Result<CheckpointConfig> CheckpointConfig::read(const std::string &folder,
                                                std::optional<Format> format) {
  std::error_code error;
  for (const char *name :
       {"quantize_config.json", "quant_config.json", "config.json"}) {
    std::string path = (fs::path(folder) / name).string();
    if (!fs::exists(path, error))
      continue;
    Result<json::Object> object = readJsonFile(path);
    if (!object.ok())
      return object.status();
    const json::Object *settings = &*object;
    if (name == std::string_view("config.json")) {
      settings = object->getObject("quantization_config");
      if (!settings)
        return Status(ErrorCode::NotFound,
                      path + " has no 'quantization_config': the model is not "
                             "quantized");
    }
    Result<CheckpointConfig> config = readConfig(*settings, format);
    return config.ok()
               ? config
               : Result<CheckpointConfig>(config.status().withContext(path));
  }
  return Status(ErrorCode::NotFound,
                "'" + folder +
                    "' has no quantize_config.json, quant_config.json or "
                    "config.json");
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

/// The group of layer `name`: one that names it, else one of all linear layers.
static Result<LayerSettings> findGroup(const CheckpointConfig &config,
                                       const std::string &name) {
  auto isNamed = [&](const TargetGroup &group) {
    return llvm::any_of(group.targets,
                        [&](auto &each) { return each.matches(name); });
  };
  bool named = llvm::any_of(config.groups, isNamed);
  const TargetGroup *found = nullptr;
  for (const TargetGroup &group : config.groups) {
    if (!(named ? isNamed(group) : group.allLinear))
      continue;
    if (found && found->settings != group.settings)
      return unsupported("layer '" + name +
                         "' is in two of 'config_groups' that differ");
    found = &group;
  }
  if (!found)
    return invalid("layer '" + name + "' is in none of 'config_groups'");
  return found->settings;
}

const char *CheckpointConfig::skipOf(const std::string &name) const {
  for (const NamePattern &each : skipped)
    if (each.matches(name))
      return skippedKey.c_str();
  for (const DynamicRule &rule : dynamic)
    if (rule.skip && rule.pattern.matches(name))
      return "dynamic";
  return nullptr;
}

Result<LayerSettings>
CheckpointConfig::settingsOf(const std::string &name) const {
  if (const char *key = skipOf(name))
    return invalid("layer '" + name + "' has packed weights, but '" + key +
                   "' says that it is not quantized");
  if (format == Format::CompressedTensors)
    return findGroup(*this, name);
  const DynamicRule *matching = nullptr;
  for (const DynamicRule &rule : dynamic) {
    if (!rule.pattern.matches(name))
      continue;
    // JSON objects have no order, so neither of two rules comes first.
    if (matching && !matching->agrees(rule))
      return unsupported(
          "layer '" + name + "' matches two rules of 'dynamic': '" +
          matching->pattern.text() + "' and '" + rule.pattern.text() + "'");
    matching = &rule;
  }
  if (!matching)
    return settings;
  LayerSettings result = settings;
  result.bits = matching->bits.value_or(result.bits);
  result.groupSize = matching->groupSize.value_or(result.groupSize);
  result.symmetric = matching->symmetric.value_or(result.symmetric);
  return result;
}
