//===- Run.cpp - nibble run -----------------------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs the layers of a checkpoint on random activations, checks what comes out
// against float64, and says how fast it was.
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "Model/Checkpoint.h"
#include "Model/Pack.h"
#include "Support/Half.h"
#include "Table.h"
#include "nibble/QuantLinear.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"
#include <chrono>
#include <cmath>
#include <random>

using namespace nibble;
using namespace nibble::tool;
using namespace llvm;

cl::SubCommand tool::runCommand(
    "run", "Run the layers of a GPTQ checkpoint, check them and time them");

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
                                   cl::desc("auto or cpu"));
static cl::opt<std::string> typeName("dtype", cl::sub(runCommand),
                                     cl::cat(category), cl::init("f16"),
                                     cl::value_desc("type"),
                                     cl::desc("Type of x: f16, bf16 or f32"));
static cl::opt<std::string> zeroFormat(
    "format", cl::sub(runCommand), cl::cat(category), cl::value_desc("name"),
    cl::desc("How zero points are stored, gptq or gptq_v2, against what "
             "the checkpoint says"));
static cl::opt<unsigned> seed("seed", cl::sub(runCommand), cl::cat(category),
                              cl::init(0), cl::value_desc("number"),
                              cl::desc("Of the random x; 0 takes a new one"));
static cl::opt<bool> asJson("json", cl::sub(runCommand), cl::cat(category),
                            cl::desc("Print JSON instead of a table"));

/// The largest relative error ||y - ref|| / ||ref|| that is taken for right:
/// fp16's own rounding gives 2.8e-4, bf16's is 8 times as coarse.
static constexpr double tolerance = 4e-4, bf16Tolerance = 3.2e-3;

namespace {
/// One layer with one x.
struct Measurement {
  double microseconds = 0;
  double error = 0;
};
} // namespace

/// The median time of a call, from up to 200 calls or about 0.3 seconds.
static Result<double> timeCalls(const QuantLinear &layer, const TensorView &x,
                                const TensorView &y) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> times;
  Clock::time_point begin = Clock::now();
  while (times.size() < 5 ||
         (times.size() < 200 &&
          Clock::now() - begin < std::chrono::milliseconds(300))) {
    Clock::time_point before = Clock::now();
    if (Status status = layer.forward(x, y); !status.ok())
      return status;
    times.push_back(
        std::chrono::duration<double, std::micro>(Clock::now() - before)
            .count());
  }
  std::nth_element(times.begin(), times.begin() + times.size() / 2,
                   times.end());
  return times[times.size() / 2];
}

/// ||y - ref|| / ||ref|| over enough columns, evenly spread, to have looked at
/// a quarter of a billion products.
static double relativeError(const model::Layer &model, ArrayRef<float> x,
                            ArrayRef<float> y, int64_t rows) {
  int64_t K = model.inFeatures, N = model.outFeatures;
  int64_t columns = std::clamp<int64_t>((int64_t(1) << 28) / (rows * K), 1, N);
  std::vector<double> weights(K);
  double difference = 0, reference = 0;
  for (int64_t i = 0; i < columns; ++i) {
    int64_t n = i * N / columns;
    model::weightColumn(model, n, weights);
    for (int64_t m = 0; m < rows; ++m) {
      double sum = model.bias.empty() ? 0 : halfToFloat(model.bias[n]);
      for (int64_t k = 0; k < K; ++k)
        sum += x[m * K + k] * weights[k];
      double off = y[m * N + n] - sum;
      difference += off * off;
      reference += sum * sum;
    }
  }
  return std::sqrt(difference / (reference > 0 ? reference : 1));
}

static Result<Measurement> measure(const QuantLinear &layer,
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
  if (Status status = layer.forward(x, y); !status.ok())
    return status;
  std::vector<float> results;
  for (uint16_t each : output)
    results.push_back(outType == DType::BF16 ? bfloatToFloat(each)
                                             : halfToFloat(each));
  Measurement result;
  result.error = relativeError(model, values, results, rows);
  Result<double> time = timeCalls(layer, x, y);
  if (!time.ok())
    return time.status();
  result.microseconds = *time;
  return result;
}

/// Bytes that one call has to move: weights, scales, zero points, x and y.
static double bytesOf(const model::Layer &layer, int64_t rows, DType type) {
  double bytes = 4.0 * (layer.qweight.size() + layer.qzeros.size()) +
                 2.0 * (layer.scales.size() + layer.bias.size());
  if (layer.actOrder)
    bytes += 4.0 * layer.gIdx.size();
  return bytes +
         static_cast<double>(rows) *
             (layer.inFeatures * dtypeSize(type) + layer.outFeatures * 2.0);
}

static Result<SmallVector<int64_t>> readRowCounts() {
  SmallVector<int64_t> counts;
  SmallVector<StringRef> words;
  SplitString(rowCounts, words, ",");
  for (StringRef word : words) {
    int64_t rows;
    if (word.getAsInteger(10, rows) || rows < 1 || rows > (1 << 20))
      return Status(ErrorCode::InvalidArgument,
                    "--m has '" + word.str() +
                        "'; numbers of rows are 1 to 1048576");
    counts.push_back(rows);
  }
  if (counts.empty())
    return Status(ErrorCode::InvalidArgument, "--m is empty");
  return counts;
}

Status tool::runRun() {
  Result<SmallVector<int64_t>> counts = readRowCounts();
  if (!counts.ok())
    return counts.status();
  DType type;
  if (typeName == "f16")
    type = DType::F16;
  else if (typeName == "bf16")
    type = DType::BF16;
  else if (typeName == "f32")
    type = DType::F32;
  else
    return Status(ErrorCode::InvalidArgument, "--dtype is '" + typeName +
                                                  "', expected f16, bf16 or "
                                                  "f32");
  std::optional<model::ZeroFormat> zeros;
  if (!zeroFormat.empty())
    zeros =
        zeroFormat == "gptq_v2" ? model::ZeroFormat::V2 : model::ZeroFormat::V1;
  Result<model::Checkpoint> checkpoint =
      model::Checkpoint::open(modelFolder, zeros);
  if (!checkpoint.ok())
    return checkpoint.status();
  std::vector<std::string> names = checkpoint->layerNames();
  if (!layerName.empty())
    names = {layerName};
  if (names.empty())
    return Status(ErrorCode::NotFound,
                  "'" + modelFolder + "' has no quantized layer");

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
               {"error", "relative_error"},
               {"config", "config", true}});
  bool allRight = true;
  {
    Progress progress;
    for (size_t i = 0; i < names.size(); ++i) {
      QuantLinearOptions options;
      options.device = device;
      options.format = zeroFormat;
      Result<QuantLinear> layer =
          QuantLinear::load(modelFolder, names[i], options);
      if (!layer.ok())
        return layer.status();
      Result<model::Layer> model = checkpoint->load(names[i]);
      if (!model.ok())
        return model.status();
      for (int64_t rows : *counts) {
        progress.show(std::to_string(i + 1) + "/" +
                      std::to_string(names.size()) + " " + names[i] +
                      " M=" + std::to_string(rows));
        Result<const CompiledKernel *> kernel = layer->prepare(type, rows);
        if (!kernel.ok())
          return kernel.status().withContext(names[i]);
        Result<Measurement> result =
            measure(*layer, *model, type, rows, random);
        if (!result.ok())
          return result.status().withContext(names[i]);
        int64_t K = layer->inFeatures(), N = layer->outFeatures();
        double seconds = result->microseconds * 1e-6;
        double gigabytes = bytesOf(*model, rows, type) / seconds * 1e-9;
        double gigaflops =
            2.0 * static_cast<double>(rows) * K * N / seconds * 1e-9;
        // NaN is no success either.
        bool right =
            result->error <= (type == DType::BF16 ? bf16Tolerance : tolerance);
        allRight &= right;
        std::string error;
        raw_string_ostream(error)
            << llvm::format("%.1e", result->error) << (right ? "" : " WRONG");
        table.add(
            {names[i],
             {std::to_string(K) + " x " + std::to_string(N), json::Array{K, N}},
             layer->bits(),
             layer->groupSize(),
             {layer->actOrder() ? "yes" : "no", layer->actOrder()},
             rows,
             (*kernel)->schedule,
             {fixed(result->microseconds, 1), result->microseconds},
             {fixed(gigabytes, 1), gigabytes},
             {fixed(gigaflops, 1), gigaflops},
             {error, result->error},
             (*kernel)->config});
      }
    }
  }
  outs() << (asJson ? table.json() : table.text());
  outs().flush();
  if (!allRight)
    return Status(ErrorCode::Internal, "an error is above " +
                                           fixed(tolerance * 1e4, 0) +
                                           "e-4 (bf16: 32e-4)");
  return Status();
}
