//===- Support/CLocale.h - Numbers with a point -----------------*- C++ -*-===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// LLVM's JSON reads and writes fractions by strtod() and snprintf(), which use
// the locale of the process. A host that has set a German one would find no
// number in `0.5`, and write `0,5` to a cache that others share.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_SUPPORT_CLOCALE_H
#define NIBBLE_SUPPORT_CLOCALE_H

#include <locale.h>

namespace nibble {

/// While it lives, the thread that made it is in the locale C.
class CLocale {
public:
  CLocale() {
    // Never freed: a thread may be within while the process ends.
    static const locale_t c = ::newlocale(LC_ALL_MASK, "C", nullptr);
    before = ::uselocale(c);
  }
  ~CLocale() { ::uselocale(before); }
  CLocale(const CLocale &) = delete;
  CLocale &operator=(const CLocale &) = delete;

private:
  locale_t before;
};

} // namespace nibble

#endif // NIBBLE_SUPPORT_CLOCALE_H
