//===- Target/HostModule.cpp - Host code in this process ------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// By ORC's linking layer for object files; nothing is compiled here.
//
//===----------------------------------------------------------------------===//

#include "Target/HostModule.h"
#include "llvm/ExecutionEngine/Orc/ObjectLinkingLayer.h"
#include "llvm/ExecutionEngine/Orc/SelfExecutorProcessControl.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace nibble;
using namespace llvm;

struct HostModule::State {
  std::unique_ptr<orc::ExecutionSession> session;
  std::unique_ptr<orc::ObjectLinkingLayer> linker;
  orc::JITDylib *library = nullptr;
  ~State() {
    if (session)
      consumeError(session->endSession());
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
  auto control = orc::SelfExecutorProcessControl::Create();
  if (!control)
    return failed("loading host code", control.takeError());
  auto state = std::make_unique<State>();
  state->session = std::make_unique<orc::ExecutionSession>(std::move(*control));
  // Errors come back from lookup; nothing is printed.
  state->session->setErrorReporter(
      [](Error error) { consumeError(std::move(error)); });
  state->linker = std::make_unique<orc::ObjectLinkingLayer>(*state->session);
  state->library = &state->session->createBareJITDylib("kernel");
  if (Error error = state->linker->add(
          *state->library, MemoryBuffer::getMemBufferCopy(object, "kernel.o")))
    return failed("loading host code", std::move(error));
  return std::unique_ptr<HostModule>(new HostModule(std::move(state)));
}

Result<void *> HostModule::find(const std::string &name) {
  Expected<orc::ExecutorSymbolDef> symbol =
      state->session->lookup({state->library}, state->session->intern(name));
  if (!symbol)
    return failed("loading host code", symbol.takeError());
  return symbol->getAddress().toPtr<void *>();
}
