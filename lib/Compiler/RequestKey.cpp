//===- Compiler/RequestKey.cpp - Names of compilations --------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels are kept by the digest of all that their code depends on, so that
// nothing ever has to be declared out of date.
//
//===----------------------------------------------------------------------===//

#include "Compiler/RequestKey.h"
#include "Compiler/Pipeline.h"
#include "Support/Digest.h"
#include "Support/OutOfMemory.h"

using namespace nibble;

std::string_view nibble::compilerBuild() {
  return
#include "BuildId.inc"
      ;
}

std::string_view nibble::kernelText(const CompileRequest &request) {
  if (!request.text.empty())
    return request.text;
  for (const auto &[name, text] : embeddedKernels())
    if (name == request.kernel)
      return text;
  return {};
}

Result<std::string> nibble::requestDigest(const CompileRequest &request,
                                          std::string_view compiler) {
  Result<PipelineOptions> options = optionsFor(request);
  if (!options.ok())
    return options.status();
  const TargetSpec &target = options->target;
  return digestOf({"nibble kernel 1", compiler, request.kernel,
                   kernelText(request), options->config.str(), target.name,
                   target.cpu, target.features,
                   std::to_string(target.sharedBytes),
                   std::to_string(target.vectorBits), options->schedule});
}

Result<std::string> nibble::requestKey(const CompileRequest &request) try {
  return requestDigest(request, compilerBuild());
} catch (...) {
  return caughtOutOfMemory();
}
