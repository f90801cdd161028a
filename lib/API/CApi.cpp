//===- API/CApi.cpp - Between C and QuantLinear ---------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See CApi.h.
//
//===----------------------------------------------------------------------===//

#include "API/CApi.h"
#include "Support/OutOfMemory.h"
#include "nibble/JitKernel.h"
#include <cstddef>
#include <cstdio>
#include <exception>

using namespace nibble;
using namespace nibble::c;

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

/// Not a string, which may have no memory for what there is to say.
static thread_local char lastError[4096];

static nibble_status fail(ErrorCode code, const char *message) {
  std::snprintf(lastError, sizeof(lastError), "%s", message);
  return static_cast<nibble_status>(code);
}

nibble_status c::call(Given given, llvm::function_ref<Status()> work) noexcept {
  try {
    Status status = catchOutOfMemory([&]() -> Status {
      for (auto [name, pointer] : given)
        if (!pointer)
          return invalid(name, "is NULL");
      return work();
    });
    return status.ok() ? NIBBLE_OK
                       : fail(status.code(), status.message().c_str());
  } catch (const std::exception &error) {
    return fail(ErrorCode::Internal, error.what());
  }
}

Status c::invalid(const std::string &name, const std::string &why) {
  return Status(ErrorCode::InvalidArgument, name + " " + why);
}

//===----------------------------------------------------------------------===//
// What C gives
//===----------------------------------------------------------------------===//

Status c::checkSize(const std::string &name, size_t size, size_t known) {
  // A size that nobody set may be anything.
  constexpr size_t most = 4096;
  if (size < known || size > most)
    return invalid(name + "->size", "is " + std::to_string(size) +
                                        ", expected " + std::to_string(known) +
                                        " to " + std::to_string(most));
  return Status();
}

Status c::convert(const char *name, const nibble_tensor *tensor,
                  TensorView &into) {
  std::string text = name;
  if (!tensor)
    return invalid(text, "is NULL");
  if (Status status = convert(text + "->dtype", tensor->dtype, into.type);
      !status.ok())
    return status;
  constexpr int32_t most = 64;
  int32_t rank = tensor->rank;
  if (rank < 0 || rank > most)
    return invalid(text + "->rank", "is " + std::to_string(rank) +
                                        ", expected 0 to " +
                                        std::to_string(most));
  if (rank > 0 && !tensor->shape)
    return invalid(text + "->shape", "is NULL");
  into.data = tensor->data;
  into.shape.assign(tensor->shape, tensor->shape + rank);
  if (tensor->strides)
    into.strides.assign(tensor->strides, tensor->strides + rank);
  return Status();
}

Status c::convert(const char *name, const nibble_tensor *tensor,
                  std::optional<TensorView> &into) {
  return tensor ? convert(name, tensor, into.emplace()) : Status();
}

Status c::convert(const std::string &name, const char *const *texts,
                  size_t count, std::vector<std::string> &into) {
  for (size_t i = 0; i < count; ++i) {
    if (!texts || !texts[i])
      return invalid(texts ? name + "[" + std::to_string(i) + "]" : name,
                     "is NULL");
    into.push_back(texts[i]);
  }
  return Status();
}

// What a caller does not set of what is added later must be zero, and padding
// may be anything.
static_assert(sizeof(nibble_options) ==
              offsetof(nibble_options, flags) + sizeof(nibble_options::flags));

static Status convertOptions(const nibble_options *options,
                             QuantLinearOptions &into) {
  if (!options)
    return Status();
  Status status = checkSize("options", options->size, sizeof(*options));
  if (status.ok())
    status = convert("options->tuning", options->tuning, TuningPolicy::Blocking,
                     into.tuning);
  if (!status.ok())
    return status;
  constexpr uint32_t flags = NIBBLE_PINNED | NIBBLE_BATCH_INVARIANT;
  if (options->flags & ~flags)
    return invalid("options->flags", "is " + std::to_string(options->flags) +
                                         "; there are no flags beyond " +
                                         std::to_string(flags));
  const auto *bytes = reinterpret_cast<const char *>(options);
  for (size_t at = sizeof(*options); at < options->size; ++at)
    if (bytes[at])
      return Status(ErrorCode::Unsupported,
                    "options has something in byte " + std::to_string(at) +
                        ", of which this version of nibble knows nothing");
  for (auto [text, option] : {std::pair(options->device, &into.device),
                              std::pair(options->format, &into.format),
                              std::pair(options->config, &into.config),
                              std::pair(options->schedule, &into.schedule)})
    if (text)
      *option = text;
  into.pinned = options->flags & NIBBLE_PINNED;
  into.batchInvariant = options->flags & NIBBLE_BATCH_INVARIANT;
  return Status();
}

nibble_status c::makeLayer(
    Given given, const nibble_options *options, nibble_layer **layer,
    llvm::function_ref<Result<QuantLinear>(const QuantLinearOptions &)> make) {
  if (layer)
    *layer = nullptr;
  return call(given, [&]() -> Status {
    QuantLinearOptions converted;
    if (Status status = convertOptions(options, converted); !status.ok())
      return status;
    Result<QuantLinear> made = make(converted);
    if (made.ok())
      *layer = new nibble_layer{std::move(*made)};
    return made.status();
  });
}

//===----------------------------------------------------------------------===//
// The library
//===----------------------------------------------------------------------===//

const char *nibble_version(void) { return NIBBLE_VERSION; }

const char *nibble_last_error(void) { return lastError; }

nibble_status nibble_load_kernels(const char *path) {
  return call({{"path", path}}, [&] { return loadKernels(path); });
}

nibble_status nibble_save_tuning(const char *path) {
  return call({{"path", path}}, [&] { return saveTuning(path); });
}

//===----------------------------------------------------------------------===//
// Checkpoints
//===----------------------------------------------------------------------===//

nibble_status nibble_checkpoint_open(const char *folder, const char *format,
                                     nibble_checkpoint **checkpoint) {
  if (checkpoint)
    *checkpoint = nullptr;
  return call({{"folder", folder}, {"checkpoint", checkpoint}}, [&] {
    Result<Checkpoint> opened = Checkpoint::open(folder, format ? format : "");
    if (opened.ok())
      *checkpoint = new nibble_checkpoint{*opened, opened->layerNames()};
    return opened.status();
  });
}

nibble_status nibble_checkpoint_close(nibble_checkpoint *checkpoint) {
  delete checkpoint;
  return NIBBLE_OK;
}

nibble_status nibble_checkpoint_layer_count(const nibble_checkpoint *checkpoint,
                                            size_t *count) {
  return call({{"checkpoint", checkpoint}, {"count", count}}, [&] {
    *count = checkpoint->names.size();
    return Status();
  });
}

nibble_status nibble_checkpoint_layer_name(const nibble_checkpoint *checkpoint,
                                           size_t index, const char **name) {
  return call({{"checkpoint", checkpoint}, {"name", name}}, [&]() -> Status {
    size_t count = checkpoint->names.size();
    if (index >= count)
      return invalid("index", "is " + std::to_string(index) + "; there are " +
                                  std::to_string(count) + " layers");
    *name = checkpoint->names[index].c_str();
    return Status();
  });
}

nibble_status nibble_checkpoint_load(const nibble_checkpoint *checkpoint,
                                     const char *name,
                                     const nibble_options *options,
                                     nibble_layer **layer) {
  return makeLayer(
      {{"checkpoint", checkpoint}, {"name", name}, {"layer", layer}}, options,
      layer, [&](const QuantLinearOptions &converted) {
        return QuantLinear::load(checkpoint->held, name, converted);
      });
}

nibble_status nibble_checkpoint_load_fused(const nibble_checkpoint *checkpoint,
                                           const char *const *names,
                                           size_t count,
                                           const nibble_options *options,
                                           nibble_layer **layer) {
  return makeLayer(
      {{"checkpoint", checkpoint}, {"names", names}, {"layer", layer}}, options,
      layer, [&](const QuantLinearOptions &converted) -> Result<QuantLinear> {
        std::vector<std::string> prefixes;
        if (Status status = convert("names", names, count, prefixes);
            !status.ok())
          return status;
        return QuantLinear::loadFused(checkpoint->held, prefixes, converted);
      });
}
