//===- nibble.cpp - The tool ----------------------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// nibble COMMAND [options]
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "llvm/Support/FileSystem.h"
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
  auto failed = [&](const std::string &why) {
    return Status(ErrorCode::IoError,
                  "cannot write '" + path.str() + "': " + why);
  };
  Expected<sys::fs::TempFile> file =
      sys::fs::TempFile::create(path + ".tmp%%%%%%");
  if (!file)
    return failed(toString(file.takeError()));
  raw_fd_ostream out(file->FD, /*shouldClose=*/false);
  out << bytes;
  out.flush();
  if (out.has_error()) {
    std::string why = out.error().message();
    out.clear_error();
    consumeError(file->discard());
    return failed(why);
  }
  if (Error error = file->keep(path))
    return failed(toString(std::move(error)));
  return Status();
}

namespace {
struct Command {
  cl::SubCommand &options;
  Status (*run)();
};
} // namespace

int main(int argc, char **argv) {
  const Command commands[] = {
      {tool::compileCommand, tool::runCompile},
  };
  cl::HideUnrelatedOptions(tool::category);
  for (const Command &command : commands)
    cl::HideUnrelatedOptions(tool::category, command.options);
  cl::ParseCommandLineOptions(
      argc, argv,
      "nibble: kernels and linear layers of packed integer weights\n\n"
      "  nibble COMMAND --help explains a command.\n");
  for (const Command &command : commands) {
    if (!command.options)
      continue;
    Status status = command.run();
    if (status.ok())
      return 0;
    errs() << "nibble: " << status.message() << "\n";
    return 1;
  }
  errs() << "nibble: no command given; nibble --help lists them\n";
  return 1;
}
