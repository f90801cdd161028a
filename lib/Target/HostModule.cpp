//===- Target/HostModule.cpp - Host code in this process ------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// By ORC's linking layer for object files; nothing is compiled here.
//
//===----------------------------------------------------------------------===//

#include "Target/HostModule.h"
#include "Support/OutOfMemory.h"
#include "llvm/ExecutionEngine/Orc/ObjectLinkingLayer.h"
#include "llvm/ExecutionEngine/Orc/SelfExecutorProcessControl.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace nibble;
using namespace llvm;

struct HostModule::State {
  std::unique_ptr<orc::ExecutionSession> session;
  std::unique_ptr<orc::ObjectLinkingLayer> linker;
  orc::JITDylib *library = nullptr;
  /// Begins a session, and adds `object` to it.
  Status add(const std::string &object);
  ~State() {
    Status ended = catchOutOfMemory([&] {
      if (session)
        consumeError(session->endSession());
      return Status();
    });
    if (ended.ok())
      return;
    (void)linker.release(); // see find()
    (void)session.release();
  }
};

HostModule::HostModule(std::unique_ptr<State> state)
    : state(std::move(state)) {}
HostModule::~HostModule() = default;

static Status failed(const char *what, Error error) {
  return Status(ErrorCode::Internal,
                std::string(what) + ": " + toString(std::move(error)));
}

Result<std::unique_ptr<HostModule>>
HostModule::load(const std::string &object) {
  auto state = std::make_unique<State>();
  try {
    if (Status status = state->add(object); !status.ok())
      return status;
  } catch (...) {
    (void)state.release(); // see find()
    throw;
  }
  return std::unique_ptr<HostModule>(new HostModule(std::move(state)));
}

Status HostModule::State::add(const std::string &object) {
  auto control = orc::SelfExecutorProcessControl::Create();
  if (!control)
    return failed("loading host code", control.takeError());
  session = std::make_unique<orc::ExecutionSession>(std::move(*control));
  // Errors come back from lookup; nothing is printed.
  session->setErrorReporter(
      [](Error error) { consumeError(std::move(error)); });
  linker = std::make_unique<orc::ObjectLinkingLayer>(*session);
  library = &session->createBareJITDylib("kernel");
  if (Error error = linker->add(
          *library, MemoryBuffer::getMemBufferCopy(object, "kernel.o")))
    return failed("loading host code", std::move(error));
  return Status();
}

Result<void *> HostModule::find(const std::string &name) {
  try {
    Expected<orc::ExecutorSymbolDef> symbol =
        state->session->lookup({state->library}, state->session->intern(name));
    if (!symbol)
      return failed("loading host code", symbol.takeError());
    return symbol->getAddress().toPtr<void *>();
  } catch (...) {
    // Memory ended. LLVM's code leaves locks held behind an exception, and what
    // it was building as it was: it is lost.
    (void)state.release();
    throw;
  }
}
