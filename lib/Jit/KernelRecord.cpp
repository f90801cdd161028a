//===- Jit/KernelRecord.cpp - Compiled kernels as entries -----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See KernelRecord.h. Each toJSON takes its struct apart by name, so that it
// no longer compiles when the struct gets a member that it would forget.
//
//===----------------------------------------------------------------------===//

#include "Jit/KernelRecord.h"

using namespace llvm;

namespace nibble {

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

static json::Value toJSON(const SizeExpression::Term &term) {
  const auto &[numerator, denominator, powers] = term;
  json::Array factors;
  for (const auto &[name, power] : powers)
    factors.push_back(json::Object{{"size", name}, {"power", power}});
  return json::Object{{"numerator", numerator},
                      {"denominator", denominator},
                      {"factors", std::move(factors)}};
}

static json::Value toJSON(const SizeExpression &expression) {
  const auto &[terms, text] = expression;
  return json::Object{{"terms", json::Array(terms)}, {"text", text}};
}

static json::Value toJSON(const KernelMatrix &matrix) {
  const auto &[name, type, shape, strided, alignment, written] = matrix;
  return json::Object{{"name", name},
                      {"type", dtypeName(type)},
                      {"shape", json::Array(shape)},
                      {"strided", strided},
                      {"alignment", alignment},
                      {"written", written}};
}

static json::Value toJSON(const KernelSize &size) {
  const auto &[name, multipleOf, most] = size;
  return json::Object{
      {"name", name}, {"multiple_of", multipleOf}, {"most", most}};
}

static json::Value toJSON(const GridDim &dim) {
  const auto &[size, block] = dim;
  return json::Object{{"size", size}, {"block", block}};
}

CacheEntry toEntry(CompiledKernel kernel) {
  auto &[name, target, config, schedule, mmaRefused, interface, threads,
         sharedBytes, splits, overlaps, code, origin, milliseconds] = kernel;
  const auto &[matrices, sizes, grid] = interface;
  return {json::Object{{"kind", "kernel"},
                       {"name", name},
                       {"target", target},
                       {"config", config},
                       {"schedule", schedule},
                       {"mma_refused", mmaRefused},
                       {"threads", threads},
                       {"shared_bytes", sharedBytes},
                       {"splits", splits},
                       {"overlaps", overlaps},
                       {"matrices", json::Array(matrices)},
                       {"sizes", json::Array(sizes)},
                       {"grid", json::Array(grid)}},
          std::move(code)};
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

/// A number that something is divided by.
static bool readPositive(json::ObjectMapper &object, StringLiteral name,
                         int64_t &number, json::Path path) {
  if (!object.map(name, number))
    return false;
  if (number < 1)
    path.field(name).report("expected a positive number");
  return number >= 1;
}

namespace {
/// One of SizeExpression::Term::powers.
struct Factor {
  std::string size;
  int power;
};

bool fromJSON(const json::Value &value, Factor &to, json::Path path) {
  json::ObjectMapper object(value, path);
  return object && object.map("size", to.size) && object.map("power", to.power);
}
} // namespace

static bool fromJSON(const json::Value &value, SizeExpression::Term &to,
                     json::Path path) {
  json::ObjectMapper object(value, path);
  std::vector<Factor> factors;
  if (!object || !object.map("numerator", to.numerator) ||
      !readPositive(object, "denominator", to.denominator, path) ||
      !object.map("factors", factors))
    return false;
  for (Factor &factor : factors)
    to.powers.emplace_back(std::move(factor.size), factor.power);
  return true;
}

static bool fromJSON(const json::Value &value, SizeExpression &to,
                     json::Path path) {
  json::ObjectMapper object(value, path);
  return object && object.map("terms", to.terms) && object.map("text", to.text);
}

static bool fromJSON(const json::Value &value, DType &to, json::Path path) {
  for (DType type : {DType::F16, DType::BF16, DType::F32, DType::I32})
    if (value.getAsString() == StringRef(dtypeName(type))) {
      to = type;
      return true;
    }
  path.report("expected a type");
  return false;
}

static bool fromJSON(const json::Value &value, KernelMatrix &to,
                     json::Path path) {
  json::ObjectMapper object(value, path);
  if (!object || !object.map("name", to.name) || !object.map("type", to.type) ||
      !object.map("shape", to.shape) || !object.map("strided", to.strided) ||
      !readPositive(object, "alignment", to.alignment, path) ||
      !object.map("written", to.written))
    return false;
  if (to.shape.size() == 1 || to.shape.size() == 2)
    return true;
  path.field("shape").report("expected one or two extents");
  return false;
}

static bool fromJSON(const json::Value &value, KernelSize &to,
                     json::Path path) {
  json::ObjectMapper object(value, path);
  return object && object.map("name", to.name) &&
         readPositive(object, "multiple_of", to.multipleOf, path) &&
         readPositive(object, "most", to.most, path);
}

static bool fromJSON(const json::Value &value, GridDim &to, json::Path path) {
  json::ObjectMapper object(value, path);
  return object && object.map("size", to.size) &&
         readPositive(object, "block", to.block, path);
}

Result<CompiledKernel> fromEntry(CacheEntry entry, const std::string &origin) {
  CompiledKernel kernel;
  json::Path::Root root("description");
  json::Path path = root;
  json::Value value(std::move(entry.about));
  json::ObjectMapper object(value, path);
  std::string kind;
  if (!object || !object.map("kind", kind) ||
      !object.map("name", kernel.name) ||
      !object.map("target", kernel.target) ||
      !object.map("config", kernel.config) ||
      !object.map("schedule", kernel.schedule) ||
      !object.map("mma_refused", kernel.mmaRefused) ||
      !object.map("threads", kernel.threads) ||
      !object.map("shared_bytes", kernel.sharedBytes) ||
      !object.map("splits", kernel.splits) ||
      !object.map("overlaps", kernel.overlaps) ||
      !object.map("matrices", kernel.interface.matrices) ||
      !object.map("sizes", kernel.interface.sizes) ||
      !object.map("grid", kernel.interface.grid))
    return Status(ErrorCode::InvalidFile, toString(root.getError()));
  if (kind != "kernel")
    return Status(ErrorCode::InvalidFile,
                  "it holds a " + kind + ", not a kernel");
  kernel.code = std::move(entry.code);
  kernel.origin = origin;
  return kernel;
}

} // namespace nibble
