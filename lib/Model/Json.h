//===- Model/Json.h - JSON from files that nobody vouches for -------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// LLVM's parser, behind checks that it does not make: that no key of an object
// is given twice, that nesting is not so deep that it would run out of stack,
// and that values are not so many that they would run out of memory.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_MODEL_JSON_H
#define NIBBLE_MODEL_JSON_H

#include "nibble/Status.h"
#include "llvm/Support/JSON.h"

namespace nibble::model {

/// Parses `text`, whose top must be an object; errors are InvalidFile.
Result<llvm::json::Object> parseJsonObject(llvm::StringRef text);

/// Parses file `path`, of at most 100 MB; errors name it.
Result<llvm::json::Object> readJsonFile(const std::string &path);

} // namespace nibble::model

#endif // NIBBLE_MODEL_JSON_H
