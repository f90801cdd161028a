//===- FormatSweep.cpp - Every format, type and shape against float64 -----===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The cross product of formats x symmetric x groups x act-order x shapes x
// types x rows. Layers are plain arrays of random numbers, written to
// checkpoints by code that shares nothing with nibble's packing, loaded, run,
// and held against a float64 product of the plain arrays. Shapes and rows are
// chosen so that few kernels serve all of them.
//
//===----------------------------------------------------------------------===//

#include "../TestFolder.h"
#include "ForwardCheck.h"
#include "Model/Safetensors.h"
#include "Support/Half.h"
#include "Sweep.h"
#include "llvm/ADT/ArrayRef.h"
#include <algorithm>
#include <gtest/gtest.h>
#include <list>

using namespace nibble;
using namespace nibble::test;

namespace {

enum class Kind { Gptq, GptqV2, Compressed, Awq };

/// A quantized layer as plain arrays.
struct Plain {
  int bits;
  int64_t K, N, rows, groups;
  std::vector<int> codes; // k N + n
  std::vector<int> zeros; // g N + n
  std::vector<float> scales;
  DType scaleType, biasType;
  std::vector<int32_t> gIdx;
  std::vector<float> bias;
  bool symmetric, actOrder;
};

float rounded(DType type, float value) {
  return type == DType::F16    ? halfToFloat(floatToHalf(value))
         : type == DType::BF16 ? bfloatToFloat(floatToBfloat(value))
                               : value;
}

Plain makePlain(std::mt19937 &random, int bits, int64_t K, int64_t N,
                int64_t groupSize, bool symmetric, bool actOrder, int number) {
  int64_t rows = groupSize == -1 ? K : groupSize;
  Plain plain{bits, K,  N,         rows,    (K + rows - 1) / rows,
              {},   {}, {},        {},      {},
              {},   {}, symmetric, actOrder};
  // Every third layer has a bias, and scales that fp16 does not hold.
  bool wide = number % 3 == 2;
  plain.scaleType = wide              ? DType::F32
                    : number % 3 == 1 ? DType::BF16
                                      : DType::F16;
  plain.biasType = static_cast<DType>(number / 3 % 3);
  std::uniform_real_distribution<float> scale(0.002f, 0.02f);
  std::normal_distribution<float> normal;
  auto code = [&] { return static_cast<int>(random() % (1u << bits)); };
  for (int64_t i = 0; i < K * N; ++i)
    plain.codes.push_back(code());
  for (int64_t i = 0; i < plain.groups * N; ++i) {
    plain.zeros.push_back(symmetric ? 1 << (bits - 1) : code());
    plain.scales.push_back(rounded(plain.scaleType, scale(random)));
  }
  for (int64_t k = 0; k < K; ++k)
    plain.gIdx.push_back(static_cast<int32_t>(k / rows));
  if (actOrder)
    std::shuffle(plain.gIdx.begin(), plain.gIdx.end(), random);
  for (int64_t n = 0; wide && n < N; ++n)
    plain.bias.push_back(rounded(plain.biasType, normal(random)));
  return plain;
}

Truth truthOf(const Plain &plain) {
  Truth truth{plain.K, plain.N, std::vector<double>(plain.K * plain.N),
              plain.bias};
  for (int64_t n = 0; n < plain.N; ++n)
    for (int64_t k = 0; k < plain.K; ++k) {
      int64_t at = plain.gIdx[k] * plain.N + n;
      truth.weights[n * plain.K + k] =
          double(plain.codes[k * plain.N + n] - plain.zeros[at]) *
          double(plain.scales[at]);
    }
  return truth;
}

//===----------------------------------------------------------------------===//
// Checkpoints
//===----------------------------------------------------------------------===//

/// Tensors of a checkpoint in the making.
class Written {
public:
  template <typename T>
  void add(const std::string &name, const char *dtype,
           std::vector<int64_t> shape, const std::vector<T> &data) {
    const auto *bytes = reinterpret_cast<const uint8_t *>(data.data());
    kept.emplace_back(bytes, bytes + data.size() * sizeof(T));
    tensors.push_back({name, dtype, std::move(shape), kept.back()});
  }
  void addFloats(const std::string &name, DType type,
                 std::vector<int64_t> shape, const std::vector<float> &data) {
    if (type == DType::F32)
      return add(name, "F32", std::move(shape), data);
    std::vector<uint16_t> halves;
    for (float each : data)
      halves.push_back(type == DType::F16 ? floatToHalf(each)
                                          : floatToBfloat(each));
    add(name, type == DType::F16 ? "F16" : "BF16", std::move(shape), halves);
  }
  Status write(const TestFolder &folder, const std::string &settings) const {
    folder.write("quantize_config.json", settings);
    return model::writeSafetensors(folder / "model.safetensors", tensors);
  }

private:
  std::list<std::vector<uint8_t>> kept;
  std::vector<model::TensorToWrite> tensors;
};

/// Bits of words in row-major order, set one by one.
struct Words {
  std::vector<uint32_t> words;
  explicit Words(int64_t count) : words(count) {}
  void set(int64_t word, int64_t bit, int value, int bits) {
    for (int i = 0; i < bits; ++i)
      words[word] |= uint32_t(value >> i & 1) << (bit + i);
  }
};

void addGptq(Written &to, const std::string &name, const Plain &p, bool v2) {
  Words weight(p.K * p.bits / 32 * p.N), zeros(p.groups * (p.N * p.bits / 32));
  // One stream of bits down a column, or along a row of zero points.
  for (int i = 0; i < p.bits; ++i) {
    for (int64_t k = 0; k < p.K; ++k)
      for (int64_t n = 0; n < p.N; ++n) {
        int64_t bit = k * p.bits + i;
        weight.set(bit / 32 * p.N + n, bit % 32, p.codes[k * p.N + n] >> i, 1);
      }
    for (int64_t g = 0; g < p.groups; ++g)
      for (int64_t n = 0; n < p.N; ++n) {
        int64_t bit = n * p.bits + i;
        int stored = p.zeros[g * p.N + n] - (v2 ? 0 : 1);
        zeros.set(g * (p.N * p.bits / 32) + bit / 32, bit % 32, stored >> i, 1);
      }
  }
  to.add(name + ".qweight", "I32", {p.K * p.bits / 32, p.N}, weight.words);
  to.add(name + ".qzeros", "I32", {p.groups, p.N * p.bits / 32}, zeros.words);
  to.addFloats(name + ".scales", p.scaleType, {p.groups, p.N}, p.scales);
  if (p.actOrder)
    to.add(name + ".g_idx", "I32", {p.K}, p.gIdx);
}

void addAwq(Written &to, const std::string &name, const Plain &p) {
  const int order[] = {0, 2, 4, 6, 1, 3, 5, 7};
  auto packed = [&](const std::vector<int> &values, int64_t lines) {
    Words words(lines * p.N / 8);
    for (int64_t word = 0; word < lines * p.N / 8; ++word)
      for (int i = 0; i < 8; ++i)
        words.set(word, 4 * i, values[word * 8 + order[i]], 4);
    return words.words;
  };
  to.add(name + ".qweight", "I32", {p.K, p.N / 8}, packed(p.codes, p.K));
  to.add(name + ".qzeros", "I32", {p.groups, p.N / 8},
         packed(p.zeros, p.groups));
  to.addFloats(name + ".scales", p.scaleType, {p.groups, p.N}, p.scales);
}

void addCompressed(Written &to, const std::string &name, const Plain &p) {
  int64_t P = 32 / p.bits;
  int64_t across = (p.K + P - 1) / P, down = (p.N + P - 1) / P;
  Words weight(p.N * across), zeros(down * p.groups);
  std::vector<float> scales(p.N * p.groups);
  for (int64_t n = 0; n < p.N; ++n) {
    for (int64_t k = 0; k < p.K; ++k)
      weight.set(n * across + k / P, k % P * p.bits, p.codes[k * p.N + n],
                 p.bits);
    for (int64_t g = 0; g < p.groups; ++g) {
      zeros.set(n / P * p.groups + g, n % P * p.bits, p.zeros[g * p.N + n],
                p.bits);
      scales[n * p.groups + g] = p.scales[g * p.N + n];
    }
  }
  to.add(name + ".weight_packed", "I32", {p.N, across}, weight.words);
  to.add(name + ".weight_shape", "I64", {2}, std::vector<int64_t>{p.N, p.K});
  to.addFloats(name + ".weight_scale", p.scaleType, {p.N, p.groups}, scales);
  if (!p.symmetric)
    to.add(name + ".weight_zero_point", "I32", {down, p.groups}, zeros.words);
  if (p.actOrder)
    to.add(name + ".weight_g_idx", "I32", {p.K}, p.gIdx);
}

std::string settingsOf(Kind kind, int bits, int64_t groupSize, bool symmetric) {
  std::string b = std::to_string(bits), g = std::to_string(groupSize),
              s = symmetric ? "true" : "false";
  switch (kind) {
  case Kind::Gptq:
  case Kind::GptqV2:
    return "{\"bits\": " + b + ", \"group_size\": " + g + ", \"sym\": " + s +
           ", \"checkpoint_format\": \"gptq" +
           (kind == Kind::GptqV2 ? "_v2" : "") + "\"}";
  case Kind::Awq:
    return "{\"w_bit\": " + b + ", \"q_group_size\": " + g +
           ", \"zero_point\": true, \"version\": \"GEMM\"}";
  case Kind::Compressed:
    return "{\"quant_method\": \"compressed-tensors\", \"format\": "
           "\"pack-quantized\", \"config_groups\": {\"group_0\": {\"targets\": "
           "[\"Linear\"], \"weights\": {\"num_bits\": " +
           b + ", \"type\": \"int\", \"symmetric\": " + s +
           ", \"strategy\": \"" + (groupSize == -1 ? "channel" : "group") +
           "\", \"group_size\": " + (groupSize == -1 ? "null" : g) + "}}}}";
  }
  return "";
}

/// The odd multiple of `unit` next to `target`, which no block divides.
int64_t ragged(int64_t target, int64_t unit) {
  return (target / unit | 1) * unit;
}

} // namespace

void nibble::test::formatSweep(int bits, const driver::Device *device,
                               const std::string &schedule) {
  SCOPED_TRACE("NIBBLE_TEST_SEED=" + std::to_string(seed()));
  std::mt19937 random(seed() + bits);
  int64_t unit = Codec{bits}.unitCodes();
  TestFolder folder;
  ForwardCheck checked(device, schedule);
  std::vector<Kind> kinds = {Kind::Gptq, Kind::GptqV2, Kind::Compressed};
  if (bits == 4)
    kinds.push_back(Kind::Awq);
  int number = 0;
  for (Kind kind : kinds)
    for (bool symmetric : {false, true})
      for (int64_t groupSize : {32, 128, -1}) {
        Written checkpoint;
        std::map<std::string, Plain> layers;
        for (bool actOrder : {false, true})
          for (auto [K, N] : {std::pair(150, 220), {290, 300}, {100, 350}}) {
            if (kind == Kind::Awq && actOrder)
              continue;
            std::string name = "layer." + std::to_string(layers.size());
            const Plain &plain =
                layers
                    .emplace(name, makePlain(random, bits, ragged(K, unit),
                                             ragged(N, unit), groupSize,
                                             symmetric, actOrder, number++))
                    .first->second;
            if (kind == Kind::Awq)
              addAwq(checkpoint, name, plain);
            else if (kind == Kind::Compressed)
              addCompressed(checkpoint, name, plain);
            else
              addGptq(checkpoint, name, plain, kind == Kind::GptqV2);
            if (!plain.bias.empty())
              checkpoint.addFloats(name + ".bias", plain.biasType, {plain.N},
                                   plain.bias);
          }
        std::string settings = settingsOf(kind, bits, groupSize, symmetric);
        SCOPED_TRACE(settings);
        ASSERT_TRUE(checkpoint.write(folder, settings).ok());
        for (const auto &[name, plain] : layers) {
          Result<QuantLinear> layer =
              QuantLinear::load(folder.path(), name, checked.options());
          ASSERT_TRUE(layer.ok()) << layer.status().message();
          Truth truth = truthOf(plain);
          for (DType type : {DType::F16, DType::BF16, DType::F32})
            for (int64_t M : {1, 6})
              checked.check(*layer, truth, {M, type}, random);
        }
      }
  checked.report("formats of " + std::to_string(bits) + " bits");
  EXPECT_EQ(checked.cases(), bits == 4 ? 756 : 648);
}
