//===- API/Forward.cpp - Running a layer
//-----------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From arrays of any rank to launches over rows. Leading extents that lie as
// one extent would are one; what is left is [outer..., rows, K], one launch for
// each outer index:
//
//   x [2, 3, 5, K], dense           -> one launch of 30 rows
//   x [2, 3, K] of a [2, 4, K]      -> 2 launches of 3 rows
//
//===----------------------------------------------------------------------===//

#include "API/State.h"
#include "Jit/Arguments.h"
#include <cstring>

using namespace nibble;

static Status invalid(const std::string &message) {
  return Status(ErrorCode::InvalidArgument, message);
}

namespace {
/// A leading dimension of x and y.
struct Leading {
  int64_t extent, xStride, yStride;
};
using LeadingDims = llvm::SmallVector<Leading, 8>;
} // namespace

/// Checks an array's shape, strides and memory.
static Status checkArray(const char *name, const TensorView &array,
                         int64_t last) {
  auto refuse = [&](const std::string &why) {
    return invalid(std::string(name) + " " + why);
  };
  if (array.shape.empty())
    return refuse("has no extents, expected [..., " + std::to_string(last) +
                  "]");
  if (!array.strides.empty() && array.strides.size() != array.shape.size())
    return refuse("has " + std::to_string(array.strides.size()) +
                  " strides for " + std::to_string(array.shape.size()) +
                  " extents");
  if (array.shape.back() != last)
    return refuse("has last extent " + std::to_string(array.shape.back()) +
                  ", expected " + std::to_string(last));
  // The largest offset must be an address.
  int64_t elements = 1, reach = 0;
  bool empty = false;
  for (size_t dim = 0; dim < array.shape.size(); ++dim) {
    int64_t extent = array.shape[dim];
    if (extent < 0)
      return refuse("has extent " + std::to_string(extent) + " in dimension " +
                    std::to_string(dim));
    empty |= extent == 0;
    if (__builtin_mul_overflow(elements, std::max<int64_t>(extent, 1),
                               &elements))
      return refuse("has more elements than fit 63 bits");
  }
  for (size_t dim = 0; dim < array.strides.size() && !empty; ++dim) {
    int64_t far;
    if (array.strides[dim] < 0)
      return refuse("has stride " + std::to_string(array.strides[dim]) +
                    " in dimension " + std::to_string(dim));
    if (__builtin_mul_overflow(array.shape[dim] - 1, array.strides[dim],
                               &far) ||
        __builtin_add_overflow(reach, far, &reach) || reach > (INT64_MAX >> 3))
      return refuse("has strides that reach beyond 63 bits");
  }
  if (!array.data && !empty)
    return refuse("has no memory");
  if (reinterpret_cast<uintptr_t>(array.data) % dtypeSize(array.type))
    return refuse(std::string("is not aligned to its elements of type ") +
                  dtypeName(array.type));
  return Status();
}

/// The leading dimensions, those of extent 1 left out and neighbours joined.
static LeadingDims leadingDims(const TensorView &x, const TensorView &y) {
  LeadingDims dims;
  for (size_t dim = 0; dim + 1 < x.shape.size(); ++dim) {
    Leading next{x.shape[dim], x.stride(dim), y.stride(dim)};
    if (next.extent == 1)
      continue;
    if (!dims.empty() && dims.back().xStride == next.extent * next.xStride &&
        dims.back().yStride == next.extent * next.yStride)
      dims.back() = {dims.back().extent * next.extent, next.xStride,
                     next.yStride};
    else
      dims.push_back(next);
  }
  if (dims.empty())
    dims.push_back({1, 0, 0});
  return dims;
}

/// Copies row `from`, whose elements lie `stride` apart, to `to`.
template <typename T>
static void copyRow(const void *from, int64_t stride, void *to, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    static_cast<T *>(to)[i] = static_cast<const T *>(from)[i * stride];
}

size_t QuantLinear::workspaceSize(const TensorView &x) const {
  if (x.shape.empty() || x.stride(x.shape.size() - 1) == 1)
    return 0;
  size_t bytes = dtypeSize(x.type);
  for (int64_t extent : x.shape)
    bytes *= static_cast<size_t>(extent);
  return bytes;
}

Status QuantLinear::forward(const TensorView &x, const TensorView &y,
                            void *stream, Workspace workspace) const {
  const model::Layer &layer = state->layer;
  if (x.type == DType::I32)
    return invalid("x has elements of type i32, expected f16, bf16 or f32");
  DType yType = x.type == DType::BF16 ? DType::BF16 : DType::F16;
  if (y.type != yType)
    return invalid(std::string("y has elements of type ") + dtypeName(y.type) +
                   ", expected " + dtypeName(yType) + " for x of type " +
                   dtypeName(x.type));
  Status status = checkArray("x", x, layer.inFeatures);
  if (status.ok())
    status = checkArray("y", y, layer.outFeatures);
  if (!status.ok())
    return status;
  size_t last = x.shape.size() - 1;
  if (y.shape.size() != x.shape.size())
    return invalid("y has " + std::to_string(y.shape.size()) +
                   " extents, and x has " + std::to_string(x.shape.size()));
  for (size_t dim = 0; dim < last; ++dim)
    if (x.shape[dim] != y.shape[dim])
      return invalid("y has extent " + std::to_string(y.shape[dim]) +
                     " in dimension " + std::to_string(dim) + ", and x has " +
                     std::to_string(x.shape[dim]));
  if (y.stride(last) != 1)
    return invalid("y has neighbours along its last extent " +
                   std::to_string(y.stride(last)) +
                   " elements apart, expected 1");
  for (size_t dim = 0; dim < last; ++dim)
    if (x.shape[dim] == 0)
      return Status();

  LeadingDims dims = leadingDims(x, y);
  int64_t rows = dims.back().extent;
  int64_t xColumnStride = x.stride(last);
  size_t xSize = dtypeSize(x.type), ySize = dtypeSize(y.type);
  if (xColumnStride != 1) {
    size_t needed = static_cast<size_t>(rows) * layer.inFeatures * xSize;
    if (!workspace.data)
      workspace = state->reserved(stream);
    if (workspace.bytes < needed)
      return invalid("the workspace has " + std::to_string(workspace.bytes) +
                     " bytes; x has neighbours along K " +
                     std::to_string(xColumnStride) +
                     " elements apart and needs " + std::to_string(needed));
  }
  Result<const LoadedKernel *> kernel = state->kernelFor(x.type, rows);
  if (!kernel.ok())
    return kernel.status();
  const KernelInterface &interface = (*kernel)->compiled().interface;
  // One program covers a block of rows and one of columns; the kernel's facts
  // about N and K hold because it was chosen for this layer.
  int64_t programs = 1;
  for (auto [dim, size] :
       llvm::zip_equal(interface.grid, std::array{rows, layer.outFeatures}))
    programs *= (size + dim.block - 1) / dim.block;

  auto constant = [](const auto &array) {
    return const_cast<void *>(static_cast<const void *>(array.data()));
  };
  int64_t N = layer.outFeatures;
  MatrixArgument matrices[] = {
      {nullptr, 0, 1},
      {constant(layer.qweight), N, 1},
      {constant(layer.qzeros), N / model::codesPerWord(layer.bits), 1},
      {constant(layer.scales), N, 1},
      {constant(layer.gIdx), 0, 1},
      {constant(layer.bias), 0, 1},
      {nullptr, 0, 1}};
  int64_t sizes[] = {rows, N, layer.inFeatures, layer.groups};

  llvm::SmallVector<int64_t, 8> at(dims.size(), 0); // the outer indices
  llvm::SmallVector<int64_t, 32> words;
  while (true) {
    char *xRows = static_cast<char *>(x.data);
    char *yRows = static_cast<char *>(y.data);
    for (size_t dim = 0; dim + 1 < dims.size(); ++dim) {
      xRows += at[dim] * dims[dim].xStride * static_cast<int64_t>(xSize);
      yRows += at[dim] * dims[dim].yStride * static_cast<int64_t>(ySize);
    }
    int64_t xStride = dims.back().xStride;
    if (xColumnStride != 1) {
      char *to = static_cast<char *>(workspace.data);
      for (int64_t row = 0; row < rows; ++row)
        (xSize == 2
             ? copyRow<uint16_t>
             : copyRow<uint32_t>)(xRows + row * xStride *
                                              static_cast<int64_t>(xSize),
                                  xColumnStride,
                                  to + row * layer.inFeatures *
                                           static_cast<int64_t>(xSize),
                                  layer.inFeatures);
      xRows = to;
      xStride = layer.inFeatures;
    }
    matrices[0] = {xRows, xStride, 1};
    matrices[6] = {yRows, dims.back().yStride, 1};
    words.clear();
    fillWords(interface, matrices, sizes, words);
    (*kernel)->launch(words, programs);

    size_t dim = dims.size() - 1;
    while (dim > 0 && ++at[dim - 1] == dims[dim - 1].extent)
      at[--dim] = 0;
    if (dim == 0)
      return Status();
  }
}
