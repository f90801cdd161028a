//===- Model/Gptq.cpp - Quantizing with calibration -----------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Gptq.h. Matrices of weights are [K, N] here, so that a row is what is
// rounded together and lies together in memory.
//
//===----------------------------------------------------------------------===//

#include "Model/Gptq.h"
#include "Model/Layer.h"
#include "Model/Pack.h"
#include "Support/Half.h"
#include "Support/OutOfMemory.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include <Eigen/Cholesky>
#include <cmath>
#include <numeric>

using namespace nibble;
using namespace nibble::model;

using Rows =
    Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Rows whose errors are spread over the rows behind them at once, by one
/// product of matrices.
static constexpr int64_t blockRows = 128;

static Status invalid(const std::string &message) {
  return Status(ErrorCode::InvalidArgument, message);
}

namespace {
/// One layer on its way through GPTQ.
class Quantizer {
public:
  Quantizer(llvm::ArrayRef<float> weight, int64_t K, const GptqOptions &options)
      : options(options), K(K), N(static_cast<int64_t>(weight.size()) / K),
        G((K + options.groupSize - 1) / options.groupSize),
        W(Eigen::Map<const Rows>(weight.data(), N, K).transpose()),
        order(static_cast<size_t>(K)), scales(G, N), zeros(G, N) {
    std::iota(order.begin(), order.end(), 0);
  }

  /// Sets H = x^T x, damped, and the order of rows.
  Status setInputs(llvm::ArrayRef<float> inputs);
  /// Replaces H by U; see Gptq.h.
  Status factorise();
  /// Rounds all rows.
  void round();
  GptqResult result() const;

private:
  /// Scales and zero points of group `g` for `rows` as they are.
  void fit(int64_t g, const Eigen::Ref<const Rows> &rows);
  /// Row `k` (in order) rounded with the scales of group `g`.
  Eigen::RowVectorXf rounded(int64_t k, int64_t g) const;
  int64_t groupOf(int64_t k) const {
    return (staticGroups() ? order[k] : k) / options.groupSize;
  }
  bool staticGroups() const { return options.actOrder && options.staticGroups; }

  const GptqOptions &options;
  int64_t K, N, G;
  /// Weights, rounded ones where round() has been.
  Rows W;
  /// H, then U.
  Eigen::MatrixXd H;
  /// Row k of W is row order[k] of the layer.
  std::vector<int32_t> order;
  /// [G, N].
  Rows scales, zeros;
};
} // namespace

Status Quantizer::setInputs(llvm::ArrayRef<float> inputs) {
  int64_t T = static_cast<int64_t>(inputs.size()) / K;
  // Float products summed in double, some inputs at a time.
  H = Eigen::MatrixXd::Zero(K, K);
  constexpr int64_t step = 256;
  for (int64_t t = 0; t < T; t += step) {
    Eigen::Map<const Rows> x(inputs.data() + t * K, std::min(step, T - t), K);
    H += (x.transpose() * x).cast<double>();
  }
  if (!H.allFinite())
    return invalid("the calibration inputs are infinite or not a number, or "
                   "their squares are");
  // Inputs that are always 0: whatever their weights are does not matter.
  for (int64_t k = 0; k < K; ++k)
    if (H(k, k) == 0) {
      H(k, k) = 1;
      W.row(k).setZero();
    }
  if (staticGroups())
    for (int64_t g = 0; g < G; ++g) {
      int64_t begin = g * options.groupSize;
      fit(g, W.middleRows(begin, std::min(options.groupSize, K - begin)));
    }
  if (options.actOrder) {
    llvm::sort(order, [&](int32_t a, int32_t b) {
      return H(a, a) != H(b, b) ? H(a, a) > H(b, b) : a < b;
    });
    Eigen::Map<const Eigen::VectorXi> indices(order.data(), K);
    H = H(indices, indices).eval();
    W = W(indices, Eigen::all).eval();
  }
  H.diagonal().array() += options.damping * H.diagonal().mean();
  return Status();
}

Status Quantizer::factorise() {
  // H = V V^T with V upper is an ordinary factorisation of H with rows and
  // columns turned round; U is then V's inverse.
  Eigen::MatrixXd turned = H.reverse();
  Eigen::LLT<Eigen::Ref<Eigen::MatrixXd>> lower(turned);
  if (lower.info() != Eigen::Success)
    return invalid("the calibration inputs do not tell the " +
                   std::to_string(K) +
                   " rows apart; more damping or more inputs are needed");
  H = turned.triangularView<Eigen::Lower>().toDenseMatrix().reverse();
  turned.setIdentity();
  H.triangularView<Eigen::Upper>().solveInPlace(turned);
  H.swap(turned);
  // Errors are divided by the diagonal, and multiplied by the rest, in float.
  using Float = std::numeric_limits<float>;
  if (!(H.array().abs() <= double(Float::max())).all() ||
      !(H.diagonal().array() >= double(Float::min())).all())
    return invalid(llvm::formatv("the squares of the calibration inputs, with "
                                 "a damping of {0:E}, are too large or too "
                                 "small to be inverted",
                                 options.damping));
  return Status();
}

void Quantizer::fit(int64_t g, const Eigen::Ref<const Rows> &rows) {
  Rows columns = rows.transpose();
  std::vector<float> fittedScales, fittedZeros;
  fitScales({columns.data(), static_cast<size_t>(columns.size())}, rows.rows(),
            N, options.bits, rows.rows(), options.symmetric, fittedScales,
            fittedZeros);
  for (int64_t n = 0; n < N; ++n) {
    // As it will be stored: its rounding is then made up for, too.
    scales(g, n) = halfToFloat(floatToHalf(fittedScales[n]));
    zeros(g, n) = fittedZeros[n];
  }
}

Eigen::RowVectorXf Quantizer::rounded(int64_t k, int64_t g) const {
  auto scale = scales.row(g).array(), zero = zeros.row(g).array();
  auto maxq = static_cast<float>(Codec{options.bits}.maxCode());
  auto codes = (W.row(k).array() / scale + zero).rint().max(0.0f).min(maxq);
  return (codes - zero) * scale;
}

void Quantizer::round() {
  for (int64_t begin = 0, end; begin < K; begin = end) {
    // A group is fitted to weights that all rows before it have changed, so one
    // that is begun in a block ends in it, or begins it.
    end = std::min(begin + blockRows, K);
    if (int64_t whole = end / options.groupSize * options.groupSize;
        whole > begin)
      end = end == K ? K : whole;
    Rows errors(end - begin, N);
    for (int64_t k = begin; k < end; ++k) {
      int64_t g = groupOf(k);
      if (!staticGroups() && k % options.groupSize == 0)
        fit(g, W.middleRows(k, std::min(options.groupSize, K - k)));
      Eigen::RowVectorXf to = rounded(k, g);
      auto error = errors.row(k - begin);
      error = (W.row(k) - to) / static_cast<float>(H(k, k));
      W.row(k) = to;
      for (int64_t j = k + 1; j < end; ++j)
        W.row(j) -= error * static_cast<float>(H(k, j));
    }
    W.bottomRows(K - end).noalias() -=
        H.block(begin, end, end - begin, K - end).cast<float>().transpose() *
        errors;
  }
}

GptqResult Quantizer::result() const {
  GptqResult result;
  result.gIdx.resize(K);
  Rows weight(N, K);
  for (int64_t k = 0; k < K; ++k) {
    weight.col(order[k]) = W.row(k).transpose();
    result.gIdx[order[k]] = static_cast<int32_t>(groupOf(k));
  }
  auto copy = [](const Rows &from) {
    return std::vector<float>(from.data(), from.data() + from.size());
  };
  result.weight = copy(weight);
  result.scales = copy(scales.transpose());
  result.zeros = copy(zeros.transpose());
  return result;
}

Result<GptqResult> model::gptq(llvm::ArrayRef<float> weight, int64_t inFeatures,
                               llvm::ArrayRef<float> inputs,
                               const GptqOptions &options) {
  if (inFeatures < 1 || weight.empty() || weight.size() % inFeatures != 0)
    return invalid("weight has " + std::to_string(weight.size()) +
                   " elements, which are no rows of " +
                   std::to_string(inFeatures));
  if (inputs.empty() || inputs.size() % inFeatures != 0)
    return invalid(
        "the calibration inputs have " + std::to_string(inputs.size()) +
        " elements, which are no rows of " + std::to_string(inFeatures));
  if (options.groupSize < 1)
    return invalid("groupsize is " + std::to_string(options.groupSize));
  if (!(options.damping >= 0) || std::isinf(options.damping))
    return invalid("damping is " + std::to_string(options.damping) +
                   ", expected 0 or a positive number");
  for (auto [i, value] : llvm::enumerate(weight))
    if (!std::isfinite(value))
      return invalid("weight[" + std::to_string(i / inFeatures) + ", " +
                     std::to_string(i % inFeatures) +
                     "] is infinite or not a number");
  return catchOutOfMemory([&]() -> Result<GptqResult> {
    Quantizer quantizer(weight, inFeatures, options);
    Status status = quantizer.setInputs(inputs);
    if (status.ok())
      status = quantizer.factorise();
    if (!status.ok())
      return status;
    quantizer.round();
    return quantizer.result();
  });
}
