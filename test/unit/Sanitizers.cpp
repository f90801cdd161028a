//===- Sanitizers.cpp - Settings for builds with a sanitizer --------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// LLVM's archives are not built with the sanitizer that nibble is. What its
// headers poison here would be used by code there that never clears it.
//
//===----------------------------------------------------------------------===//

#if __has_feature(address_sanitizer)
extern "C" const char *__asan_default_options() {
  return "allow_user_poisoning=0:detect_container_overflow=0";
}
#endif
