//===- nibble.cpp - The tool ----------------------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// nibble COMMAND [options]
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "Support/Files.h"
#include "Support/OutOfMemory.h"
#include "Table.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/raw_ostream.h"

using namespace nibble;
using namespace llvm;

cl::OptionCategory tool::category("Options");

Status tool::writeOutput(StringRef path, StringRef bytes) {
  if (path == "-") {
    outs() << bytes;
    outs().flush();
    return Status();
  }
  return writeFile(path.str(), {bytes});
}

namespace {
struct Command {
  cl::SubCommand &options;
  Status (*run)();
};
} // namespace

int main(int argc, char **argv) {
  const Command commands[] = {
      {tool::cacheCommand, tool::runCache},
      {tool::compileCommand, tool::runCompile},
      {tool::explainCommand, tool::runExplain},
      {tool::convertCommand, tool::runConvert},
      {tool::inspectCommand, tool::runInspect},
      {tool::quantizeCommand, tool::runQuantize},
      {tool::runCommand, tool::runRun},
      {tool::tuneCommand, tool::runTune},
  };
  cl::HideUnrelatedOptions(tool::category);
  for (const Command &command : commands)
    cl::HideUnrelatedOptions(tool::category, command.options);
  cl::SetVersionPrinter([](raw_ostream &out) {
    out << "nibble " NIBBLE_VERSION ", LLVM " LLVM_VERSION_STRING "\n";
  });
  cl::ParseCommandLineOptions(
      argc, argv,
      "nibble: kernels and linear layers of packed integer weights\n\n"
      "  nibble COMMAND --help explains a command.\n");
  for (const Command &command : commands) {
    if (!command.options)
      continue;
    Status status = catchOutOfMemory(command.run);
    outs().flush();
    if (outs().has_error()) {
      if (status.ok())
        status =
            Status(ErrorCode::IoError, "cannot write to standard output: " +
                                           outs().error().message());
      outs().clear_error(); // LLVM ends the process for one that is left
    }
    if (status.ok())
      return 0;
    errs() << "nibble: ";
    interleave(
        split(status.message(), '\n'), errs(),
        [](StringRef line) { errs() << tool::printable(line); }, "\n");
    errs() << "\n";
    return 1;
  }
  errs() << "nibble: no command given; nibble --help lists them\n";
  return 1;
}
