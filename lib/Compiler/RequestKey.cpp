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
#include "Support/Digest.h"
#include "Target/TargetSpec.h"
#include "Transforms/KernelConfig.h"
#include "nibble/Compiler.h"

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
  Result<KernelConfig> config = KernelConfig::parse(request.config);
  if (!config.ok())
    return config.status();
  Result<TargetSpec> target = TargetSpec::parse(request.target);
  if (!target.ok())
    return target.status();
  return digestOf({"nibble kernel 1", compiler, request.kernel,
                   kernelText(request), config->str(), target->name,
                   target->cpu, target->features,
                   std::to_string(target->sharedBytes),
                   std::to_string(target->vectorBits), request.schedule});
}

Result<std::string> nibble::requestKey(const CompileRequest &request) {
  return requestDigest(request, compilerBuild());
}
