//===- SortColumnsTest.cpp - x in the order of sorted rows ----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Support/Half.h"
#include "nibble/JitKernel.h"
#include <algorithm>
#include <gtest/gtest.h>
#include <numeric>
#include <random>

using namespace nibble;

namespace {

/// Rows of both matrices have gaps, which stay as they are, and columns of x
/// are `apart` elements apart.
void expectSorted(int64_t M, int64_t K, int64_t apart) {
  std::mt19937 random(std::random_device{}());
  std::vector<int32_t> rows(K);
  std::iota(rows.begin(), rows.end(), 0);
  std::shuffle(rows.begin(), rows.end(), random);
  int64_t xRow = K * apart + 3, sortedRow = K + 5;
  std::vector<float> x(M * xRow);
  std::normal_distribution<float> normal;
  for (float &each : x)
    each = normal(random);
  constexpr uint16_t untouched = 0x7bcd;
  std::vector<uint16_t> sorted(M * sortedRow, untouched);

  CompileRequest request;
  request.kernel = "sort_columns";
  request.config = "BLOCK_M=1 BLOCK_K=512 X=f32 T=f16";
  Result<JitKernel> kernel = JitKernel::create(request);
  ASSERT_TRUE(kernel.ok()) << kernel.status().message();
  Status status = kernel->run(
      {{"x", TensorView{x.data(), DType::F32, {M, K}, {xRow, apart}}},
       {"rows", TensorView::dense(rows.data(), DType::I32, {K})},
       {"sorted",
        TensorView{sorted.data(), DType::F16, {M, K}, {sortedRow, 1}}}},
      {{"M", M}, {"K", K}});
  ASSERT_TRUE(status.ok()) << status.message();
  for (int64_t m = 0; m < M; ++m)
    for (int64_t k = 0; k < sortedRow; ++k)
      ASSERT_EQ(sorted[m * sortedRow + k],
                k < K ? floatToHalf(x[m * xRow + rows[k] * apart]) : untouched)
          << m << ", " << k << " of " << M << " x " << K;
}

TEST(SortColumns, EveryColumnGoesToItsPlace) {
  for (int64_t M : {1, 3, 40})
    for (int64_t K : {32, 256, 1000})
      for (int64_t apart : {1, 2})
        expectSorted(M, K, apart);
}

} // namespace
