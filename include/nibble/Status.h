//===- nibble/Status.h - Errors as values ---------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every call of nibble that can fail returns a Status, or a Result<T> that
// holds either a value or a Status. nibble throws nothing and never ends the
// host's process. A message names the thing that is wrong and its value; the
// code says whose fault it is, so that a host can decide what to do without
// reading the text.
//
// Where the host's memory ends, too: such a call returns OutOfMemory, and what
// it was called on works as before. What remains:
//
//   - A call that returns no Status, such as QuantLinear::weight(), throws
//     std::bad_alloc if there is no memory for what it returns.
//   - LLVM, which compiles kernels and loads host code, does not clean up behind
//     an exception. If memory ends within it, what it had allocated is lost;
//     and if that was while it initialised itself, in the first compilations of
//     a process, a later one may wait for ever.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_STATUS_H
#define NIBBLE_STATUS_H

#include <cassert>
#include <optional>
#include <string>
#include <utility>

namespace nibble {

/// Whose fault an error is, one line each.
enum class ErrorCode {
  /// No error.
  Ok = 0,
  /// The caller passed something that the call does not take.
  InvalidArgument,
  /// A file's bytes break the rules of its format.
  InvalidFile,
  /// A named file, tensor, layer, kernel or device does not exist.
  NotFound,
  /// Valid, but nibble does not do it; the message says what it does instead.
  Unsupported,
  /// The operating system refused to open, read or write something.
  IoError,
  /// Kernel text, or the parameters it was given, do not compile.
  CompileError,
  /// The GPU driver refused a call; the message names the call.
  DeviceError,
  /// Host or device memory ran out.
  OutOfMemory,
  /// A bug of nibble's own. Please report the message.
  Internal,
};

/// The name of `code` as the enumerator is spelled, for messages and logs.
inline const char *errorCodeName(ErrorCode code) {
  switch (code) {
  case ErrorCode::Ok:
    return "Ok";
  case ErrorCode::InvalidArgument:
    return "InvalidArgument";
  case ErrorCode::InvalidFile:
    return "InvalidFile";
  case ErrorCode::NotFound:
    return "NotFound";
  case ErrorCode::Unsupported:
    return "Unsupported";
  case ErrorCode::IoError:
    return "IoError";
  case ErrorCode::CompileError:
    return "CompileError";
  case ErrorCode::DeviceError:
    return "DeviceError";
  case ErrorCode::OutOfMemory:
    return "OutOfMemory";
  case ErrorCode::Internal:
    return "Internal";
  }
  return "?";
}

/// Success, or an error code with a message. Empty messages cost no memory.
class [[nodiscard]] Status {
public:
  /// Success.
  Status() = default;
  /// An error. `code` must not be Ok.
  Status(ErrorCode code, std::string message)
      : errorCode(code), text(std::move(message)) {
    assert(code != ErrorCode::Ok && "an error needs a code");
  }

  bool ok() const { return errorCode == ErrorCode::Ok; }
  ErrorCode code() const { return errorCode; }
  const std::string &message() const { return text; }

  /// The same error with `context` and ": " before its message; success stays.
  Status withContext(const std::string &context) const {
    return ok() ? *this : Status(errorCode, context + ": " + text);
  }

private:
  ErrorCode errorCode = ErrorCode::Ok;
  std::string text;
};

/// A value of type T, or the Status that says why there is none.
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : held(std::move(value)) {}
  /// `status` must be an error.
  Result(Status status) : error(std::move(status)) {
    assert(!error.ok() && "a Result without a value needs an error");
  }

  bool ok() const { return held.has_value(); }
  const Status &status() const { return error; }

  /// The value; the Result must be ok().
  T &operator*() & { return *checked(); }
  const T &operator*() const & {
    assert(ok());
    return *held;
  }
  T &&operator*() && { return std::move(*checked()); }
  T *operator->() { return checked(); }
  const T *operator->() const {
    assert(ok());
    return &*held;
  }

private:
  T *checked() {
    assert(ok() && "read of a Result that holds an error");
    return &*held;
  }
  std::optional<T> held;
  Status error;
};

} // namespace nibble

#endif // NIBBLE_STATUS_H
