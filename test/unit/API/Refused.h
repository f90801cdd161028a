//===- Refused.h - What an error must be ----------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TEST_REFUSED_H
#define NIBBLE_TEST_REFUSED_H

#include "nibble/Status.h"
#include <gtest/gtest.h>

/// `status` is an error of that code, with `text` in its message.
#define EXPECT_REFUSED(status, code_, text)                                    \
  do {                                                                         \
    const Status refused = (status);                                           \
    EXPECT_EQ(refused.code(), ErrorCode::code_) << refused.message();          \
    EXPECT_NE(refused.message().find(text), std::string::npos)                 \
        << refused.message();                                                  \
  } while (false)

#endif // NIBBLE_TEST_REFUSED_H
