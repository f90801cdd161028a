//===- TestC.h - What C gives, made of what C++ has -----------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TEST_TESTC_H
#define NIBBLE_TEST_TESTC_H

#include "nibble/QuantLinear.h"
#include "nibble/nibble.h"
#include <gtest/gtest.h>
#include <memory>

namespace nibble::test {

/// A view as C has it; it points into the one that it is made of.
struct CTensor : nibble_tensor {
  explicit CTensor(const TensorView &view)
      : nibble_tensor{view.data, static_cast<nibble_dtype>(view.type),
                      static_cast<int32_t>(view.shape.size()),
                      view.shape.data(),
                      view.strides.empty() ? nullptr : view.strides.data()} {}
  explicit CTensor(const TensorView &&) = delete;
};

/// A layer that is destroyed in the end.
class CLayer {
public:
  ~CLayer() { EXPECT_EQ(nibble_layer_destroy(layer), NIBBLE_OK); }
  CLayer() = default;
  CLayer(const CLayer &) = delete;
  CLayer &operator=(const CLayer &) = delete;

  operator nibble_layer *() const { return layer; }
  /// For functions that make one.
  nibble_layer **out() { return &layer; }
  nibble_layer_info info() const {
    nibble_layer_info info = NIBBLE_LAYER_INFO_INIT;
    EXPECT_EQ(nibble_layer_get_info(layer, &info), NIBBLE_OK);
    return info;
  }

private:
  nibble_layer *layer = nullptr;
};

/// What a function of the C ABI gave, as a Status.
inline Status statusOf(nibble_status status) {
  return status == NIBBLE_OK
             ? Status()
             : Status(static_cast<ErrorCode>(status), nibble_last_error());
}

/// `call` gave NIBBLE_OK.
#define ASSERT_C(call) ASSERT_EQ((call), NIBBLE_OK) << nibble_last_error()

} // namespace nibble::test

#endif // NIBBLE_TEST_TESTC_H
