//===- Target/Guard.cpp - LLVM's fatal errors as values -------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Guard.h.
//
//===----------------------------------------------------------------------===//

#include "Target/Guard.h"
#include "Support/OutOfMemory.h"
#include "llvm/Support/ErrorHandling.h"
#include <csetjmp>
#include <mutex>
#include <pthread.h>
#include <system_error>

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

namespace {
/// Work on its way to a thread, and what becomes of it.
struct Guarded {
  llvm::function_ref<Status()> work;
  Exit exit;
  Status status;
};
} // namespace

static void *runThread(void *argument) {
  auto &guarded = *static_cast<Guarded *>(argument);
  currentExit = &guarded.exit;
  if (setjmp(guarded.exit.jump) == 0)
    guarded.status = catchOutOfMemory(guarded.work);
  else
    guarded.status =
        Status(ErrorCode::Internal, "LLVM gave up: " + guarded.exit.message);
  currentExit = nullptr;
  return nullptr;
}

Status nibble::runGuarded(llvm::function_ref<Status()> work) {
  static std::once_flag once;
  std::call_once(once, [] { llvm::install_fatal_error_handler(onFatalError); });

  // Code generation recurses deeply; a host's thread may have a small stack.
  constexpr size_t stackBytes = 16u << 20;
  Guarded guarded = {work, {}, {}};
  // Not by llvm::thread, which ends the process where there can be none.
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, stackBytes);
  pthread_t thread;
  int error = pthread_create(&thread, &attributes, runThread, &guarded);
  pthread_attr_destroy(&attributes);
  if (error)
    return Status(ErrorCode::OutOfMemory,
                  "no thread can be started: " +
                      std::generic_category().message(error));
  pthread_join(thread, nullptr);
  return std::move(guarded.status);
}
