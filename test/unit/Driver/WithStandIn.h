//===- WithStandIn.h - Tests on a stand-in's devices ----------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TEST_WITHSTANDIN_H
#define NIBBLE_TEST_WITHSTANDIN_H

#include "Driver/Device.h"
#include "Refused.h"
#include "StandIn.h"
#include <dlfcn.h>

namespace nibble::test {

/// The file of the stand-in that is called `name`.
inline std::string standInPath(const std::string &name) {
  return NIBBLE_STAND_INS "/" + name + "/libcuda.so.1";
}

/// Opens the stand-in that works. After each test nothing may be held and
/// nothing may have been misused.
class WithStandIn : public testing::Test {
protected:
  void SetUp() override {
    library = dlopen(standInPath("works").c_str(), RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library, nullptr) << dlerror();
    auto find = reinterpret_cast<StandInFunction>(dlsym(library, standInName));
    ASSERT_NE(find, nullptr) << dlerror();
    state = find();
    *state = {};
    Result<std::unique_ptr<driver::Driver>> loaded =
        driver::Driver::load(standInPath("works"));
    ASSERT_TRUE(loaded.ok()) << loaded.status().message();
    driver = std::move(*loaded);
  }

  void TearDown() override {
    driver.reset();
    if (!state)
      return;
    EXPECT_FALSE(state->holdsAnything());
    EXPECT_EQ(state->misuses, 0) << state->misuse;
    dlclose(library);
  }

  const driver::Device &device(int ordinal = 0) {
    Result<driver::Device *> found = driver->device(ordinal);
    EXPECT_TRUE(found.ok()) << found.status().message();
    return **found;
  }

  /// Lets entry `which` fail, until it is called with EntryCount.
  void fail(Entry which, int failure = driver::CuErrorInvalidValue) {
    state->failing = which;
    state->failure = static_cast<driver::CuResult>(failure);
  }

  /// This thread's current context.
  driver::CuContext current() {
    driver::CuContext context = nullptr;
    EXPECT_EQ(driver->api().cuCtxGetCurrent(&context), driver::CuSuccess);
    return context;
  }

  void *library = nullptr;
  StandIn *state = nullptr;
  std::unique_ptr<driver::Driver> driver;
};

} // namespace nibble::test

#endif // NIBBLE_TEST_WITHSTANDIN_H
