//===- Sweep.cpp - Every kind of layer against float64 --------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The inputs differ from run to run; NIBBLE_TEST_SEED repeats one.
//
//===----------------------------------------------------------------------===//

#include "Sweep.h"
#include "ForwardCheck.h"
#include "TestLayer.h"
#include "llvm/ADT/ArrayRef.h"
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;

void nibble::test::sweep(int bits, const driver::Device *device,
                         const std::string &schedule, bool reduced) {
  SCOPED_TRACE("NIBBLE_TEST_SEED=" + std::to_string(seed()));
  std::mt19937 random(seed() + bits);
  int64_t P = Codec{bits}.unitCodes(), U = std::max<int64_t>(P, 16);
  // Whole blocks; N ragged; K ragged; both; smallest; the last group short.
  struct Shape {
    int64_t K, N, groupSize;
    DType scaleType = DType::F16;
  };
  const Shape shapes[] = {
      {256, 256, 32},
      {256, 256, 64},
      {256, 256, 128},
      {256, 256, -1},
      {384, U * 13, 128},
      {U * 11, 256, 16},
      {U * 7, U * 21, -1},
      {P * 5, P * 9, P},
      {P, P, -1},
      {160, 512 + U * 3, 80},
      {U * 5, 256, 96, DType::F32},
      {1024, U * 3, 256},
      {2560, U * 2, 1024},
  };
  ForwardCheck checked(device, schedule);
  for (const Shape &shape : shapes)
    for (Groups groups : {Groups::None, Groups::InOrder, Groups::Shuffled})
      for (bool bias : {false, true}) {
        // Every other combination, but all kinds of groups for all shapes.
        if (bias != ((&shape - shapes) % 2 == 1) && groups != Groups::Shuffled)
          continue;
        // Whole blocks, ragged ones, the smallest; in order and shuffled.
        if (reduced &&
            ((&shape - shapes) % 3 != 2 || groups == Groups::InOrder))
          continue;
        model::Layer model =
            randomLayer(random, bits, shape.groupSize, shape.K, shape.N, groups,
                        bias, shape.scaleType);
        Result<QuantLinear> layer = QuantLinear::create(
            arraysOf(model, groups != Groups::None), checked.options());
        ASSERT_TRUE(layer.ok()) << layer.status().message();
        Truth truth{shape.K, shape.N, std::vector<double>(shape.N * shape.K),
                    model.bias};
        for (int64_t n = 0; n < shape.N; ++n)
          model::weightColumn(
              model, n,
              llvm::MutableArrayRef(truth.weights).slice(n * shape.K, shape.K));
        for (Call call : {Call{1, DType::F16, Layout::Dense},
                          Call{3, DType::F16, Layout::Padded},
                          Call{5, DType::F16, Layout::Strided},
                          Call{37, DType::F16, Layout::Padded},
                          Call{1, DType::F32, Layout::Strided},
                          Call{1, DType::BF16, Layout::Dense}})
          checked.check(*layer, truth, call, random);
        if (groups == Groups::Shuffled && bias)
          checked.check(*layer, truth, {18, DType::BF16, Layout::Padded},
                        random);
      }
  checked.report("layers of " + std::to_string(bits) + " bits");
  EXPECT_GE(checked.cases(), reduced ? 30 : 250);
}
