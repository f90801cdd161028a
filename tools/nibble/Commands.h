//===- nibble/Commands.h - The commands of the tool -----------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One file a command; each declares its own options.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TOOLS_COMMANDS_H
#define NIBBLE_TOOLS_COMMANDS_H

#include "nibble/Status.h"
#include "llvm/Support/CommandLine.h"

namespace nibble::tool {

/// The options that `--help` lists.
extern llvm::cl::OptionCategory category;

extern llvm::cl::SubCommand cacheCommand, compileCommand, convertCommand,
    explainCommand, inspectCommand, quantizeCommand, runCommand, tuneCommand;

/// Each runs its command after the options are read.
Status runCache();
Status runCompile();
Status runExplain();
Status runConvert();
Status runInspect();
Status runQuantize();
Status runRun();
Status runTune();

/// Writes `bytes` to file `path`, all or nothing; `-` is standard output.
Status writeOutput(llvm::StringRef path, llvm::StringRef bytes);

} // namespace nibble::tool

#endif // NIBBLE_TOOLS_COMMANDS_H
