//===- API/CLayer.cpp - Layers for C --------------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The functions of nibble/nibble.h on layers.
//
//===----------------------------------------------------------------------===//

#include "API/CApi.h"

using namespace nibble;
using namespace nibble::c;

//===----------------------------------------------------------------------===//
// Making
//===----------------------------------------------------------------------===//

nibble_status nibble_layer_load(const char *folder, const char *name,
                                const nibble_options *options,
                                nibble_layer **layer) {
  return makeLayer({{"folder", folder}, {"name", name}, {"layer", layer}},
                   options, layer, [&](const QuantLinearOptions &converted) {
                     return QuantLinear::load(folder, name, converted);
                   });
}

nibble_status nibble_layer_load_fused(const char *folder,
                                      const char *const *names, size_t count,
                                      const nibble_options *options,
                                      nibble_layer **layer) {
  return makeLayer(
      {{"folder", folder}, {"names", names}, {"layer", layer}}, options, layer,
      [&](const QuantLinearOptions &converted) -> Result<QuantLinear> {
        std::vector<std::string> prefixes;
        if (Status status = convert("names", names, count, prefixes);
            !status.ok())
          return status;
        return QuantLinear::loadFused(folder, prefixes, converted);
      });
}

nibble_status
nibble_layer_create(int32_t bits, int64_t group_size,
                    const nibble_tensor *qweight, const nibble_tensor *qzeros,
                    const nibble_tensor *scales, const nibble_tensor *g_idx,
                    const nibble_tensor *bias, const nibble_options *options,
                    nibble_layer **layer) {
  return makeLayer(
      {{"layer", layer}}, options, layer,
      [&](const QuantLinearOptions &converted) -> Result<QuantLinear> {
        QuantLinearArrays arrays;
        arrays.bits = bits;
        arrays.groupSize = group_size;
        Status status = convert("qweight", qweight, arrays.qweight);
        if (status.ok())
          status = convert("qzeros", qzeros, arrays.qzeros);
        if (status.ok())
          status = convert("scales", scales, arrays.scales);
        if (status.ok())
          status = convert("g_idx", g_idx, arrays.gIdx);
        if (status.ok())
          status = convert("bias", bias, arrays.bias);
        if (!status.ok())
          return status;
        return QuantLinear::create(arrays, converted);
      });
}

nibble_status nibble_layer_empty(int32_t bits, int64_t group_size,
                                 int64_t in_features, int64_t out_features,
                                 int32_t has_bias,
                                 const nibble_options *options,
                                 nibble_layer **layer) {
  return makeLayer({{"layer", layer}}, options, layer,
                   [&](const QuantLinearOptions &converted) {
                     return QuantLinear::empty(bits, group_size, in_features,
                                               out_features, has_bias != 0,
                                               converted);
                   });
}

nibble_status nibble_layer_fuse(const nibble_layer *const *parts, size_t count,
                                const nibble_options *options,
                                nibble_layer **layer) {
  return makeLayer(
      {{"parts", parts}, {"layer", layer}}, options, layer,
      [&](const QuantLinearOptions &converted) -> Result<QuantLinear> {
        std::vector<QuantLinear> layers;
        for (size_t i = 0; i < count; ++i) {
          if (!parts[i])
            return invalid("parts[" + std::to_string(i) + "]", "is NULL");
          layers.push_back(parts[i]->held);
        }
        return QuantLinear::fuse(layers, converted);
      });
}

nibble_status nibble_layer_shard(const nibble_layer *layer, int32_t rank,
                                 int32_t world, nibble_shard_axis axis,
                                 const nibble_options *options,
                                 nibble_layer **part) {
  return makeLayer(
      {{"layer", layer}, {"part", part}}, options, part,
      [&](const QuantLinearOptions &converted) -> Result<QuantLinear> {
        ShardAxis along;
        if (Status status = convert("axis", axis, ShardAxis::Row, along);
            !status.ok())
          return status;
        return layer->held.shard(rank, world, along, converted);
      });
}

nibble_status
nibble_layer_pack(nibble_layer *layer, const nibble_tensor *weight,
                  const nibble_tensor *scales, const nibble_tensor *zeros,
                  const nibble_tensor *g_idx, const nibble_tensor *bias) {
  return call({{"layer", layer}}, [&]() -> Status {
    TensorView w, s, z;
    std::optional<TensorView> groups, b;
    Status status = convert("weight", weight, w);
    if (status.ok())
      status = convert("scales", scales, s);
    if (status.ok())
      status = convert("zeros", zeros, z);
    if (status.ok())
      status = convert("g_idx", g_idx, groups);
    if (status.ok())
      status = convert("bias", bias, b);
    return status.ok() ? layer->held.pack(w, s, z, groups, b) : status;
  });
}

nibble_status nibble_layer_destroy(nibble_layer *layer) {
  delete layer;
  return NIBBLE_OK;
}

//===----------------------------------------------------------------------===//
// Calling
//===----------------------------------------------------------------------===//

nibble_status nibble_layer_get_info(const nibble_layer *layer,
                                    nibble_layer_info *info) {
  return call({{"layer", layer}, {"info", info}}, [&] {
    const QuantLinear &held = layer->held;
    nibble_layer_info known = NIBBLE_LAYER_INFO_INIT;
    known.bits = held.bits();
    known.act_order = held.actOrder();
    known.has_bias = held.hasBias();
    known.group_size = held.groupSize();
    known.in_features = held.inFeatures();
    known.out_features = held.outFeatures();
    known.device = held.device().c_str();
    known.weight = static_cast<const int32_t *>(held.weight().data);
    if (!held.inputRows().empty())
      known.input_rows = held.inputRows().data();
    return give("info", known, info);
  });
}

nibble_status nibble_layer_forward(const nibble_layer *layer,
                                   const nibble_tensor *x,
                                   const nibble_tensor *y, void *stream,
                                   void *workspace, size_t workspace_bytes) {
  return call({{"layer", layer}}, [&]() -> Status {
    TensorView in, out;
    Status status = convert("x", x, in);
    if (status.ok())
      status = convert("y", y, out);
    return status.ok() ? layer->held.forward(in, out, stream,
                                             {workspace, workspace_bytes})
                       : status;
  });
}

nibble_status nibble_layer_workspace_size(const nibble_layer *layer,
                                          int64_t max_rows, size_t *bytes) {
  return call({{"layer", layer}, {"bytes", bytes}}, [&] {
    *bytes = layer->held.workspaceSize(max_rows);
    return Status();
  });
}

nibble_status nibble_layer_workspace_size_for(const nibble_layer *layer,
                                              const nibble_tensor *x,
                                              size_t *bytes) {
  return call({{"layer", layer}, {"bytes", bytes}}, [&]() -> Status {
    TensorView in;
    Status status = convert("x", x, in);
    if (status.ok())
      *bytes = layer->held.workspaceSize(in);
    return status;
  });
}

nibble_status nibble_layer_reserve_workspace(nibble_layer *layer,
                                             int64_t max_rows, void *stream) {
  return call({{"layer", layer}},
              [&] { return layer->held.reserveWorkspace(max_rows, stream); });
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

static nibble_kernel describe(const CompiledKernel &kernel) {
  return {sizeof(nibble_kernel),   kernel.name.c_str(),
          kernel.target.c_str(),   kernel.config.c_str(),
          kernel.schedule.c_str(), kernel.origin.c_str()};
}

nibble_status nibble_layer_prepare(const nibble_layer *layer,
                                   nibble_dtype dtype, int64_t rows,
                                   nibble_kernel *kernel) {
  return call({{"layer", layer}}, [&]() -> Status {
    DType type;
    if (Status status = convert("dtype", dtype, type); !status.ok())
      return status;
    Result<const CompiledKernel *> found = layer->held.prepare(type, rows);
    return found.ok() && kernel ? give("kernel", describe(**found), kernel)
                                : found.status();
  });
}

nibble_status nibble_layer_prepare_all(const nibble_layer *layer,
                                       const nibble_dtype *dtypes,
                                       size_t dtype_count,
                                       const int64_t *row_counts,
                                       size_t row_count_count,
                                       nibble_progress progress, void *user) {
  return call(
      {{"layer", layer}, {"dtypes", dtypes}, {"row_counts", row_counts}},
      [&]() -> Status {
        std::vector<DType> types(dtype_count);
        for (size_t i = 0; i < dtype_count; ++i)
          if (Status status = convert("dtypes[" + std::to_string(i) + "]",
                                      dtypes[i], types[i]);
              !status.ok())
            return status;
        auto report = [&](const Prepared &done) {
          nibble_kernel kernel = describe(*done.kernel);
          nibble_prepared prepared = {
              sizeof(prepared), static_cast<nibble_dtype>(done.type),
              done.rows,        done.done,
              done.total,       done.measured,
              &kernel};
          if (progress)
            progress(&prepared, user);
        };
        return layer->held.prepareAll(
            types, {row_counts, row_counts + row_count_count}, report);
      });
}

nibble_status nibble_layer_tune(nibble_layer *layer, nibble_dtype dtype,
                                int64_t rows, const char *const *configs,
                                size_t config_count, nibble_tried tried,
                                void *user) {
  return call({{"layer", layer}}, [&]() -> Status {
    DType type;
    std::vector<std::string> texts;
    Status status = convert("dtype", dtype, type);
    if (status.ok())
      status = convert("configs", configs, config_count, texts);
    if (!status.ok())
      return status;
    Result<std::vector<Candidate>> found = layer->held.tune(type, rows, texts);
    if (!found.ok())
      return found.status();
    for (const Candidate &each : *found) {
      nibble_candidate candidate = {
          sizeof(candidate),
          each.config.c_str(),
          each.time.median,
          each.time.p10,
          each.time.p90,
          static_cast<nibble_status>(each.status.code()),
          each.status.message().c_str()};
      if (tried)
        tried(&candidate, user);
    }
    return Status();
  });
}
