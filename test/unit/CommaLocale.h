//===- CommaLocale.h - A host that writes 0,5 -------------------*- C++ -*-===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TEST_COMMALOCALE_H
#define NIBBLE_TEST_COMMALOCALE_H

#include "TestFolder.h"
#include <clocale>
#include <cstdlib>

namespace nibble::test {

/// The process's locale is a German one while this lives. It is made for that
/// (by localedef, of Debian's package locales), since few machines have one.
class CommaLocale {
public:
  CommaLocale() {
    std::string make = "localedef -i de_DE -f UTF-8 " + folder.path() +
                       "/de_DE.UTF-8 2>" + folder.path() + "/said";
    EXPECT_EQ(std::system(make.c_str()), 0) << make;
    setenv("LOCPATH", folder.path().c_str(), 1);
    EXPECT_NE(std::setlocale(LC_ALL, "de_DE.UTF-8"), nullptr);
    EXPECT_EQ(std::strtod("0,5", nullptr), 0.5);
  }
  ~CommaLocale() {
    std::setlocale(LC_ALL, "C");
    unsetenv("LOCPATH");
  }

private:
  TestFolder folder;
};

} // namespace nibble::test

#endif // NIBBLE_TEST_COMMALOCALE_H
