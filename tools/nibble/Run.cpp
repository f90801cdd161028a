//===- Run.cpp - nibble run -----------------------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs the layers of a checkpoint on random activations, checks what comes out
// against float64, and says how fast it was.
//
//===----------------------------------------------------------------------===//

#include "API/Floor.h"
#include "Commands.h"
#include "Layers.h"
#include "Model/Pack.h"
#include "Support/Half.h"
#include "Table.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>
#include <random>

using namespace nibble;
using namespace nibble::tool;
using namespace llvm;

cl::SubCommand tool::runCommand(
    "run", "Run the layers of a checkpoint, check them and time them");

static cl::opt<std::string> modelFolder("model", cl::sub(runCommand),
                                        cl::cat(category), cl::Required,
                                        cl::value_desc("folder"),
                                        cl::desc("The checkpoint"));
static cl::opt<std::string> layerName("layer", cl::sub(runCommand),
                                      cl::cat(category), cl::value_desc("name"),
                                      cl::desc("One layer instead of all"));
static cl::opt<std::string> rowCounts("m", cl::sub(runCommand),
                                      cl::cat(category), cl::init("1,16"),
                                      cl::value_desc("list"),
                                      cl::desc("Numbers of rows of x"));
static cl::opt<std::string> device("device", cl::sub(runCommand),
                                   cl::cat(category), cl::init("auto"),
                                   cl::value_desc("name"),
                                   cl::desc("auto, cpu or cuda:N"));
static cl::opt<std::string> typeName("dtype", cl::sub(runCommand),
                                     cl::cat(category), cl::init("f16"),
                                     cl::value_desc("type"),
                                     cl::desc("Type of x: f16, bf16 or f32"));
static cl::opt<std::string> formatName("format", cl::sub(runCommand),
                                       cl::cat(category),
                                       cl::value_desc("name"),
                                       cl::desc(formatHelp));
static cl::opt<unsigned> seed("seed", cl::sub(runCommand), cl::cat(category),
                              cl::init(0), cl::value_desc("number"),
                              cl::desc("Of the random x; 0 takes a new one"));
static cl::opt<bool> asJson("json", cl::sub(runCommand), cl::cat(category),
                            cl::desc("Print JSON instead of a table"));

/// The largest relative error ||y - ref|| / ||ref|| that is taken for right:
/// fp16's own rounding gives 2.8e-4, bf16's is 8 times as coarse.
static constexpr double tolerance = 4e-4, bf16Tolerance = 3.2e-3;
/// So few results are now and then further off by chance, up to twice.
static constexpr int64_t fewResults = 2000;

namespace {
/// What a call computed beside the product in float64.
struct Comparison {
  /// ||y - ref|| / ||ref|| over what is a number in both, if anything is.
  std::optional<double> error;
  /// The first result that is a number in one alone; empty if there is none.
  std::string mismatch;

  /// What is wrong, if the error may be `most`; empty if nothing is.
  std::string wrong(double most) const {
    if (!mismatch.empty() || !error || *error <= most)
      return mismatch;
    return formatv("the relative error is {0:e1}, above {1:e1}", *error, most);
  }
};
} // namespace

/// Compares y, of type `type`, on enough columns, evenly spread, to have looked
/// at a quarter of a billion products.
static Comparison compare(const model::Layer &model, ArrayRef<float> x,
                          ArrayRef<float> y, DType type, int64_t rows) {
  // What is rounded to infinity, from here on.
  double overflow = type == DType::BF16 ? 0x1.ffp127 : 65520;
  int64_t K = model.inFeatures, N = model.outFeatures;
  int64_t columns = std::clamp<int64_t>((int64_t(1) << 28) / (rows * K), 1, N);
  std::vector<double> weights(K);
  double difference = 0, reference = 0;
  int64_t numbers = 0;
  Comparison result;
  for (int64_t i = 0; i < columns; ++i) {
    int64_t n = i * N / columns;
    model::weightColumn(model, n, weights);
    double bias = model.bias.empty() ? 0 : model.bias[n];
    // Whether weights are rounded to the type, and in what order infinities of
    // both signs meet, is a kernel's own affair.
    bool anyKind = !std::isfinite(bias) || any_of(weights, [&](double weight) {
      return !(std::abs(weight) < overflow);
    });
    for (int64_t m = 0; m < rows; ++m) {
      double got = y[m * N + n], sum = bias;
      for (int64_t k = 0; k < K; ++k)
        sum += x[m * K + k] * weights[k];
      if (anyKind && !std::isfinite(got))
        continue;
      // Next to the limit either side of it is right.
      if (std::isinf(got) && (got > 0 ? sum : -sum) > 0.99 * overflow)
        continue;
      if (!std::isfinite(got) || !std::isfinite(sum)) {
        if (result.mismatch.empty())
          result.mismatch = formatv("y[{0}, {1}] is {2}, expected {3}", m, n,
                                    fixed(got, 4), fixed(sum, 4));
        continue;
      }
      ++numbers;
      difference += (got - sum) * (got - sum);
      reference += sum * sum;
    }
  }
  if (numbers)
    result.error = std::sqrt(difference / (reference > 0 ? reference : 1));
  return result;
}

/// Compares one call on random x from host memory.
static Result<Comparison> checkCall(QuantLinear &layer,
                                    const model::Layer &model, DType type,
                                    int64_t rows, std::mt19937 &random) {
  int64_t K = layer.inFeatures(), N = layer.outFeatures();
  std::vector<float> values(rows * K);
  std::vector<uint16_t> halves(rows * K), output(rows * N);
  std::vector<float> singles;
  std::normal_distribution<float> normal;
  DType outType = type == DType::BF16 ? DType::BF16 : DType::F16;
  for (size_t i = 0; i < values.size(); ++i) {
    float value = normal(random);
    if (type == DType::F32)
      singles.push_back(value);
    halves[i] = type == DType::BF16 ? floatToBfloat(value) : floatToHalf(value);
    values[i] =
        type == DType::BF16 ? bfloatToFloat(halves[i]) : halfToFloat(halves[i]);
  }
  const void *data = type == DType::F32
                         ? static_cast<const void *>(singles.data())
                         : halves.data();
  TensorView x = TensorView::dense(data, type, {rows, K});
  TensorView y = TensorView::dense(output.data(), outType, {rows, N});
  Status status;
  if (layer.device() != "cpu")
    status = layer.reserveWorkspace(rows);
  if (status.ok())
    status = layer.forward(x, y);
  if (!status.ok())
    return status;
  std::vector<float> results;
  for (uint16_t each : output)
    results.push_back(outType == DType::BF16 ? bfloatToFloat(each)
                                             : halfToFloat(each));
  return compare(model, values, results, outType, rows);
}

Status tool::runRun() {
  Result<SmallVector<int64_t>> counts = readRowCounts(rowCounts);
  if (!counts.ok())
    return counts.status();
  Result<DType> type = readType(typeName);
  if (!type.ok())
    return type.status();
  Result<model::Checkpoint> checkpoint =
      model::Checkpoint::open(modelFolder, formatName);
  if (!checkpoint.ok())
    return checkpoint.status();
  Result<std::vector<std::string>> names = chooseLayers(*checkpoint, layerName);
  if (!names.ok())
    return names.status().withContext(modelFolder);

  std::mt19937 random(seed ? seed : std::random_device()());
  Table table({{"layer", "layer", true},
               {"K x N", "shape"},
               {"bits", "bits"},
               {"group", "group_size"},
               {"act-order", "act_order"},
               {"M", "m"},
               {"schedule", "schedule", true},
               {"us", "microseconds"},
               {"GB/s", "gigabytes_per_second"},
               {"GFLOP/s", "gigaflop_per_second"},
               {"floor", "share_of_floor"},
               {"error", "relative_error"},
               {"config", "config", true}});
  std::string firstWrong;
  {
    Progress progress;
    for (size_t i = 0; i < names->size(); ++i) {
      const std::string &name = (*names)[i];
      QuantLinearOptions options;
      options.device = device;
      options.format = formatName;
      Result<QuantLinear> layer = QuantLinear::load(modelFolder, name, options);
      if (!layer.ok())
        return layer.status();
      Result<model::Layer> model = checkpoint->load(name);
      if (!model.ok())
        return model.status();
      for (int64_t rows : *counts) {
        progress.show(std::to_string(i + 1) + "/" +
                      std::to_string(names->size()) + " " + name +
                      " M=" + std::to_string(rows));
        Result<const CompiledKernel *> kernel = layer->prepare(*type, rows);
        if (!kernel.ok())
          return kernel.status().withContext(name);
        Result<Comparison> check =
            checkCall(*layer, *model, *type, rows, random);
        if (!check.ok())
          return check.status().withContext(name);
        Result<CallTime> time = layer->measure(*type, rows);
        if (!time.ok())
          return time.status().withContext(name);
        int64_t K = layer->inFeatures(), N = layer->outFeatures();
        double seconds = time->median * 1e-6;
        double bytes = callBytes(*model, rows, *type);
        double gigabytes = bytes / seconds * 1e-9;
        double gigaflops =
            2.0 * static_cast<double>(rows) * K * N / seconds * 1e-9;
        double floorShare = floorOf(*layer, bytes) / time->median;
        std::string wrong =
            check->wrong((*type == DType::BF16 ? bf16Tolerance : tolerance) *
                         (rows * N < fewResults ? 2 : 1));
        if (firstWrong.empty() && !wrong.empty())
          firstWrong =
              "layer '" + name + "', M=" + std::to_string(rows) + ": " + wrong;
        std::string errorText;
        raw_string_ostream errorOut(errorText);
        if (check->error)
          errorOut << llvm::format("%.1e", *check->error);
        else
          errorOut << "-";
        errorOut << (wrong.empty() ? "" : " WRONG");
        table.add(
            {name,
             {std::to_string(K) + " x " + std::to_string(N), json::Array{K, N}},
             layer->bits(),
             layer->groupSize(),
             {layer->actOrder() ? "yes" : "no", layer->actOrder()},
             rows,
             (*kernel)->schedule,
             {fixed(time->median, 1), time->median},
             {fixed(gigabytes, 1), gigabytes},
             {fixed(gigaflops, 1), gigaflops},
             {floorShare > 0 ? fixed(floorShare * 100, 0) + "%" : "-",
              floorShare > 0 ? json::Value(floorShare) : json::Value(nullptr)},
             {errorText,
              check->error ? json::Value(*check->error) : json::Value(nullptr)},
             (*kernel)->config});
      }
    }
  }
  outs() << (asJson ? table.json() : table.text());
  outs().flush();
  return firstWrong.empty() ? Status()
                            : Status(ErrorCode::Internal, firstWrong);
}
