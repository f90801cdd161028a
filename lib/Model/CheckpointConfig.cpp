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
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Regex.h"
#include <cmath>
#include <filesystem>

using namespace nibble;
using namespace nibble::model;
namespace fs = std::filesystem;
namespace json = llvm::json;

static Status invalid(const std::string &message) {
  return Status(ErrorCode::InvalidFile, message);
}

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

/// `pattern` at the start of a name. Patterns are Python's; the one escape that
/// POSIX expressions lack and checkpoints use is \d.
static llvm::Regex expression(std::string pattern) {
  for (size_t at; (at = pattern.find("\\d")) != std::string::npos;)
    pattern.replace(at, 2, "[0-9]");
  return llvm::Regex("^(" + pattern + ")");
}

/// Refuses what would take LLVM's matcher without bound in time or memory: long
/// patterns, back-references and repetitions of repetitions, of which it makes
/// copies.
static Status checkCost(llvm::StringRef pattern) {
  auto refuse = [&](const char *why) {
    return invalid("'dynamic' has a pattern " + std::string(why) + ": '" +
                   pattern.take_front(100).str() + "'");
  };
  if (pattern.size() > 1000)
    return refuse("of more than 1000 bytes");
  if (pattern.contains('\0'))
    return refuse("with a zero byte");
  uint64_t copies = 1;
  for (size_t at = 0; at < pattern.size(); ++at) {
    char next = at + 1 < pattern.size() ? pattern[at + 1] : '\0';
    if (pattern[at] == '\\') {
      if (next >= '1' && next <= '9')
        return refuse("with a back-reference");
      ++at;
    } else if (pattern[at] == '{') {
      // The larger of {n,m}, or of {n} and {n,}; the matcher allows 255.
      uint64_t most = 1, number = 0;
      for (char c :
           pattern.substr(at + 1).take_until([](char c) { return c == '}'; })) {
        number = llvm::isDigit(c)
                     ? std::min<uint64_t>(number * 10 + c - '0', 256)
                     : 0;
        most = std::max(most, number);
      }
      copies *= most;
      if (copies * pattern.size() > 100'000)
        return refuse("with too many repetitions");
    }
  }
  return Status();
}

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
    DynamicRule rule;
    llvm::StringRef pattern = key;
    rule.skip = pattern.consume_front("-:");
    pattern.consume_front("+:");
    rule.pattern = pattern.str();
    if (Status status = checkCost(pattern); !status.ok())
      return status;
    std::string error;
    if (!expression(rule.pattern).isValid(error))
      return invalid("'dynamic' has the pattern '" + rule.pattern +
                     "': " + error);
    const json::Object *overrides = settings.getAsObject();
    if (!overrides && !rule.skip)
      return invalid("'dynamic' has no object for '" + rule.pattern + "'");
    if (overrides) {
      Status status = readNumber(*overrides, {"bits", "w_bit"}, rule.bits);
      if (status.ok())
        status =
            readNumber(*overrides, {"group_size", "q_group_size", "groupsize"},
                       rule.groupSize);
      if (status.ok())
        status = readFlag(*overrides, "sym", rule.symmetric);
      if (!status.ok())
        return status.withContext("'dynamic' for '" + rule.pattern + "'");
    }
    rules.push_back(std::move(rule));
  }
  return Status();
}

static Result<CheckpointConfig> readConfig(const json::Object &object) {
  CheckpointConfig config;
  std::optional<llvm::StringRef> method = object.getString("quant_method");
  if (method && *method != "gptq")
    return Status(ErrorCode::Unsupported, "'quant_method' is '" +
                                              method->str() +
                                              "'; nibble reads gptq");
  std::string key;
  if (const json::Value *value =
          firstOf(object, {"checkpoint_format", "format"}, key)) {
    llvm::StringRef format = value->getAsString().value_or("");
    if (format == "gptq_v2")
      config.format = ZeroFormat::V2;
    else if (format != "gptq")
      return Status(ErrorCode::Unsupported,
                    "'" + key + "' is '" + format.str() +
                        "'; nibble reads gptq and gptq_v2");
  }
  if (std::optional<llvm::StringRef> type = object.getString("pack_dtype");
      type && *type != "int32")
    return Status(ErrorCode::Unsupported,
                  "'pack_dtype' is '" + type->str() + "'; nibble reads int32");
  std::optional<int64_t> bits, groupSize;
  std::optional<bool> symmetric;
  Status status = readNumber(object, {"bits", "w_bit"}, bits);
  if (status.ok())
    status = readNumber(object, {"group_size", "q_group_size", "groupsize"},
                        groupSize);
  if (status.ok())
    status = readFlag(object, "sym", symmetric);
  if (status.ok())
    status = readRules(object, config.dynamic);
  if (!status.ok())
    return status;
  if (!bits)
    return invalid("has no 'bits'");
  config.settings = {*bits, groupSize.value_or(-1), symmetric.value_or(false)};
  return config;
}

Result<CheckpointConfig> CheckpointConfig::read(const std::string &folder) {
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
    Result<CheckpointConfig> config = readConfig(*settings);
    return config.ok()
               ? config
               : Result<CheckpointConfig>(config.status().withContext(path));
  }
  return Status(ErrorCode::NotFound,
                "'" + folder +
                    "' has no quantize_config.json, quant_config.json or "
                    "config.json");
}

Result<LayerSettings>
CheckpointConfig::settingsOf(const std::string &name) const {
  const DynamicRule *matching = nullptr;
  for (const DynamicRule &rule : dynamic) {
    if (!expression(rule.pattern).match(name))
      continue;
    // JSON objects have no order, so neither of two rules comes first.
    if (matching)
      return Status(ErrorCode::Unsupported,
                    "layer '" + name + "' matches two rules of 'dynamic': '" +
                        matching->pattern + "' and '" + rule.pattern + "'");
    matching = &rule;
  }
  if (!matching)
    return settings;
  if (matching->skip)
    return invalid("layer '" + name +
                   "' has packed weights, but 'dynamic' "
                   "says that it is not quantized");
  LayerSettings result = settings;
  result.bits = matching->bits.value_or(result.bits);
  result.groupSize = matching->groupSize.value_or(result.groupSize);
  result.symmetric = matching->symmetric.value_or(result.symmetric);
  return result;
}
