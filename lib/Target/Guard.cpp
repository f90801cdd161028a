//===- Target/Guard.cpp - LLVM's fatal errors as values -------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Guard.h.
//
//===----------------------------------------------------------------------===//

#include "Target/Guard.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/thread.h"
#include <csetjmp>
#include <mutex>

using namespace nibble;

namespace {
/// What a guarded thread needs to get out.
struct Exit {
  std::jmp_buf jump;
  std::string message;
};
} // namespace

static thread_local Exit *currentExit = nullptr;

static void onFatalError(void *, const char *reason, bool) {
  if (!currentExit)
    return; // not nibble's work: LLVM goes on to end the process
  currentExit->message = reason;
  std::longjmp(currentExit->jump, 1);
}

Status nibble::runGuarded(llvm::function_ref<Status()> work) {
  static std::once_flag once;
  std::call_once(once, [] { llvm::install_fatal_error_handler(onFatalError); });

  Status status;
  Exit exit;
  // Code generation recurses deeply; a host's thread may have a small stack.
  constexpr unsigned stackBytes = 16u << 20;
  llvm::thread thread(std::optional<unsigned>(stackBytes), [&] {
    currentExit = &exit;
    if (setjmp(exit.jump) == 0)
      status = work();
    else
      status = Status(ErrorCode::Internal, "LLVM gave up: " + exit.message);
    currentExit = nullptr;
  });
  thread.join();
  return status;
}
