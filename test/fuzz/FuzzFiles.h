//===- FuzzFiles.h - Files that a fuzzer fills ----------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Readers of files are tested on files, as they are used: in memory, if the
// system has a folder for that.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_FUZZ_FUZZFILES_H
#define NIBBLE_FUZZ_FUZZFILES_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nibble::fuzz {

/// A folder that is there until the process ends.
const std::string &folder();

/// Gives file `name` of the folder the content `bytes`.
void setFile(const std::string &name, std::string_view bytes);

/// Removes file `name`, if it is there.
void removeFile(const std::string &name);

/// Cuts `input` at bytes of value 0 into at most `most` parts; the last keeps
/// its zeros.
std::vector<std::string_view> cut(std::string_view input, size_t most);

/// A safetensors file of `header` and `data`, with the header's true length.
std::string safetensors(std::string_view header, std::string_view data);

} // namespace nibble::fuzz

#endif // NIBBLE_FUZZ_FUZZFILES_H
