//===- API/CApi.h - Between C and QuantLinear -----------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How what C gives is checked and becomes what QuantLinear takes, and how a
// Status becomes what C gets. CApi.cpp has, besides, the functions of
// nibble/nibble.h on checkpoints, and CLayer.cpp those on layers.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_API_CAPI_H
#define NIBBLE_API_CAPI_H

#include "nibble/QuantLinear.h"
#include "nibble/nibble.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <cstring>
#include <initializer_list>

struct nibble_checkpoint {
  nibble::Checkpoint held;
  std::vector<std::string> names;
};

struct nibble_layer {
  nibble::QuantLinear held;
};

namespace nibble::c {

/// Parameters that must not be null, by name.
using Given = std::initializer_list<std::pair<const char *, const void *>>;

/// Does `work` if nothing of `given` is null. Keeps the message of an error for
/// nibble_last_error(), and lets nothing be thrown.
nibble_status call(Given given, llvm::function_ref<Status()> work) noexcept;

/// The same for the layer that `make` makes of `options`, into `*layer`: null
/// on an error.
nibble_status makeLayer(
    Given given, const nibble_options *options, nibble_layer **layer,
    llvm::function_ref<Result<QuantLinear>(const QuantLinearOptions &)> make);

/// Parameter `name` is wrong.
Status invalid(const std::string &name, const std::string &why);

/// Checks the size that the caller gave a struct, of which this version of
/// nibble knows `known` bytes.
Status checkSize(const std::string &name, size_t size, size_t known);

/// `tensor`, parameter `name`, with its shape and strides copied.
Status convert(const char *name, const nibble_tensor *tensor, TensorView &into);
/// The same, where null is nothing.
Status convert(const char *name, const nibble_tensor *tensor,
               std::optional<TensorView> &into);

/// A value of an enumeration whose last is `last`.
template <typename EnumT>
Status convert(const std::string &name, int32_t value, EnumT last,
               EnumT &into) {
  if (value < 0 || value > static_cast<int32_t>(last))
    return invalid(name, "is " + std::to_string(value) + ", expected 0 to " +
                             std::to_string(static_cast<int32_t>(last)));
  into = static_cast<EnumT>(value);
  return Status();
}
inline Status convert(const std::string &name, nibble_dtype value,
                      DType &into) {
  return convert(name, value, DType::I32, into);
}

/// `count` texts, of which none is null.
Status convert(const std::string &name, const char *const *texts, size_t count,
               std::vector<std::string> &into);

/// `from`, into the struct of a caller who may know more members than this
/// version of nibble does: these become zero.
template <typename T> Status give(const std::string &name, T from, T *into) {
  from.size = into->size;
  Status status = checkSize(name, from.size, sizeof(T));
  if (status.ok()) {
    std::memset(static_cast<void *>(into), 0, from.size);
    *into = from;
  }
  return status;
}

} // namespace nibble::c

#endif // NIBBLE_API_CAPI_H
