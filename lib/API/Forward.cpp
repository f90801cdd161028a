//===- API/Forward.cpp - Running a layer ----------------------------------===//
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
#include "Driver/Stream.h"
#include "Jit/Arguments.h"
#include "llvm/ADT/STLExtras.h"

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

/// Launches `kernel`, whose facts hold because it was chosen for this layer, on
/// a grid over `extents`.
static Status launchBlocks(const LoadedKernel &kernel,
                           llvm::ArrayRef<MatrixArgument> matrices,
                           llvm::ArrayRef<int64_t> sizes,
                           std::array<int64_t, 2> extents, void *stream) {
  const KernelInterface &interface = kernel.compiled().interface;
  int64_t programs = 1;
  for (auto [dim, extent] : llvm::zip_equal(interface.grid, extents))
    programs *= (extent + dim.block - 1) / dim.block;
  llvm::SmallVector<int64_t, 32> words;
  fillWords(interface, matrices, sizes, words);
  return kernel.launch(words, programs, stream);
}

/// Every row begins where 16 bytes divide the address (y: 4 bytes), as kernels
/// for a GPU that read and write several elements at a time need it.
static bool isAligned(const TensorView &x, const TensorView &y,
                      const LeadingDims &dims) {
  auto divides = [](uintptr_t bytes, uintptr_t address) {
    return address % bytes == 0;
  };
  bool aligned = divides(16, reinterpret_cast<uintptr_t>(x.data)) &&
                 divides(4, reinterpret_cast<uintptr_t>(y.data));
  for (const Leading &dim : dims)
    aligned &= divides(16, dim.xStride * dtypeSize(x.type)) &&
               divides(4, dim.yStride * dtypeSize(y.type));
  return aligned;
}

/// Sizes are multiples of this in a workspace, so that what follows is aligned.
static constexpr size_t padding = 256;

/// The bytes of `rows` rows, padded; so many that no memory has them if the
/// number does not fit.
static size_t padded(int64_t rows, int64_t columns, size_t elementBytes) {
  constexpr size_t most = SIZE_MAX / 4 / padding * padding;
  size_t bytes;
  if (__builtin_mul_overflow(static_cast<size_t>(rows),
                             static_cast<size_t>(columns) * elementBytes,
                             &bytes) ||
      bytes > most)
    return most;
  return (bytes + padding - 1) / padding * padding;
}

/// The rows of `x`, whose shape may be anything.
static int64_t rowCount(const TensorView &x) {
  int64_t rows = 1;
  for (size_t dim = 0; dim + 1 < x.shape.size(); ++dim)
    if (__builtin_mul_overflow(rows, std::max<int64_t>(x.shape[dim], 0), &rows))
      return INT64_MAX;
  return rows;
}

/// Elements from a row to the next of sorted x, so that 16 bytes divide it.
static int64_t sortedPitch(const model::Layer &layer) {
  return (layer.inFeatures + 7) / 8 * 8;
}

/// The bytes of a copy of x, sorted or not.
static size_t copyOfX(const model::Layer &layer, int64_t rows, DType type) {
  return padded(rows, sortedPitch(layer), dtypeSize(type));
}

size_t QuantLinear::State::bytesBefore(DType type, int64_t rows,
                                       bool strided) const {
  // What a call runs may change with tuning.
  size_t sorted = sortsX() ? copyOfX(layer, rows, DType::F16) : 0;
  return strided ? std::max(sorted, copyOfX(layer, rows, type)) : sorted;
}

size_t QuantLinear::State::bytesFromHost(DType type, int64_t rows) const {
  return copyOfX(layer, rows, type) + padded(rows, layer.outFeatures, 2) +
         bytesBefore(type, rows, /*strided=*/false);
}

size_t QuantLinear::workspaceSize(int64_t maxRows) const {
  if (!state)
    return 0;
  int64_t rows = std::max<int64_t>(maxRows, 0);
  return state->device ? state->bytesFromHost(DType::F32, rows)
                       : state->bytesBefore(DType::F32, rows, true);
}

size_t QuantLinear::workspaceSize(const TensorView &x) const {
  if (!state || x.shape.empty() ||
      (!x.strides.empty() && x.strides.size() != x.shape.size()))
    return 0;
  if (state->device) {
    Result<bool> there = catchOutOfMemory(
        [&] { return driver::isDeviceAddress(*state->device, x.data); });
    if (there.ok() && !*there)
      return state->bytesFromHost(x.type, rowCount(x));
  }
  return state->bytesBefore(x.type, rowCount(x),
                            x.stride(x.shape.size() - 1) != 1);
}

/// True if two elements of `array` certainly or possibly lie in one place: a
/// dimension's stride does not step over all that smaller strides reach.
static bool mayOverlapItself(const TensorView &array) {
  llvm::SmallVector<std::pair<int64_t, int64_t>, 8> dims; // stride, extent
  for (size_t dim = 0; dim < array.shape.size(); ++dim)
    if (array.shape[dim] > 1)
      dims.push_back({array.stride(dim), array.shape[dim]});
  llvm::sort(dims);
  int64_t reach = 0;
  for (auto [stride, extent] : dims) {
    if (stride <= reach)
      return true;
    reach += stride * (extent - 1);
  }
  return false;
}

/// Checks all that forward() says of x and y.
static Status checkArrays(const model::Layer &layer, const TensorView &x,
                          const TensorView &y) {
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
  if (rowCount(x) == 0)
    return Status();
  if (mayOverlapItself(y))
    return invalid("y has rows that share memory");
  // Other arrays that share memory may be parts of one, side by side.
  if (x.data == y.data)
    return invalid("x and y begin at the same address");
  return Status();
}

/// True if `array` has no gaps and its rows are in order.
static bool isDense(const TensorView &array) {
  TensorView dense = TensorView::dense(array.data, array.type, array.shape);
  for (size_t dim = 0; dim < array.shape.size(); ++dim)
    if (array.shape[dim] > 1 && array.stride(dim) != dense.stride(dim))
      return false;
  return true;
}

Status QuantLinear::forward(const TensorView &x, const TensorView &y,
                            void *stream, Workspace workspace) const try {
  if (!state)
    return State::holdsNothing();
  const model::Layer &layer = state->layer;
  if (Status status = checkArrays(layer, x, y); !status.ok())
    return status;
  int64_t rows = rowCount(x);
  if (rows == 0)
    return Status();
  const driver::Device *device = state->device;
  if (device) {
    Result<bool> xThere = driver::isDeviceAddress(*device, x.data);
    if (!xThere.ok())
      return xThere.status().withContext("x");
    Result<bool> yThere = driver::isDeviceAddress(*device, y.data);
    if (!yThere.ok())
      return yThere.status().withContext("y");
    if (!*xThere || !*yThere)
      return state->forwardFromHost(x, y, rows, *xThere, *yThere, stream,
                                    workspace);
  }
  bool strided = x.stride(x.shape.size() - 1) != 1;
  size_t needed = state->bytesBefore(x.type, rows, strided);
  if (needed == 0)
    return state->forwardThere(x, y, stream, nullptr);
  std::unique_lock<std::mutex> alone;
  Result<Workspace> found = state->workspaceFor(
      workspace, stream, needed,
      strided ? "x has neighbours along K that are not next to each other"
              : "x may be sorted for the layer, which has act-order,",
      alone);
  if (!found.ok())
    return found.status();
  return state->forwardThere(x, y, stream, found->data);
} catch (...) {
  return caughtOutOfMemory();
}

Status QuantLinear::State::forwardFromHost(const TensorView &x,
                                           const TensorView &y, int64_t rows,
                                           bool xThere, bool yThere,
                                           void *stream, Workspace workspace) {
  for (auto [name, array, there] :
       {std::tuple("x", &x, xThere), std::tuple("y", &y, yThere)})
    if (!there && !isDense(*array))
      return invalid(std::string(name) +
                     " is in host memory and not dense; a layer on a device "
                     "takes dense arrays from host memory");
  std::unique_lock<std::mutex> alone;
  Result<Workspace> found =
      workspaceFor(workspace, stream, bytesFromHost(x.type, rows),
                   "x or y is in host memory, is copied to the device", alone);
  if (!found.ok())
    return found.status();
  size_t xBytes =
      static_cast<size_t>(rows * layer.inFeatures) * dtypeSize(x.type);
  size_t yBytes = static_cast<size_t>(rows * layer.outFeatures) * 2;
  auto base = reinterpret_cast<driver::CuDevicePtr>(found->data);
  driver::CuDevicePtr yPlace = base + copyOfX(layer, rows, x.type);
  // A copy of x that is there takes the place of x from the host.
  driver::CuDevicePtr scratch =
      xThere ? base : yPlace + padded(rows, layer.outFeatures, 2);
  TensorView onX = x, onY = y;
  if (!xThere) {
    if (Status status =
            driver::copyToDevice(*device, base, x.data, xBytes, stream);
        !status.ok())
      return status;
    onX = TensorView::dense(reinterpret_cast<void *>(base), x.type, x.shape);
  }
  if (!yThere)
    onY = TensorView::dense(reinterpret_cast<void *>(yPlace), y.type, y.shape);
  Status status =
      forwardThere(onX, onY, stream, reinterpret_cast<void *>(scratch));
  if (!status.ok())
    return status;
  if (yThere)
    return Status();
  if (Status status =
          driver::copyToHost(*device, y.data, yPlace, yBytes, stream);
      !status.ok())
    return status;
  return driver::synchronize(*device, stream);
}

Status QuantLinear::State::launch(const CallKernels &kernels,
                                  const WeightAddresses &weights,
                                  MatrixArgument x, MatrixArgument y,
                                  int64_t rows, void *stream,
                                  void *scratch) const {
  auto matrix = [](const void *data, int64_t rowStride) {
    return MatrixArgument{const_cast<void *>(data), rowStride, 1};
  };
  int64_t N = layer.outFeatures, K = layer.inFeatures;
  if (kernels.before) {
    MatrixArgument copy =
        matrix(scratch, kernels.sorts ? sortedPitch(layer) : K);
    Status status =
        kernels.sorts
            ? launchBlocks(*kernels.before, {x, matrix(weights.gIdx, 0), copy},
                           {rows, K}, {rows, K}, stream)
            : launchBlocks(*kernels.before, {x, copy}, {rows, K}, {rows, K},
                           stream);
    if (!status.ok())
      return status;
    x = copy;
  }
  MatrixArgument matrices[] = {x,
                               matrix(weights.qweight, N),
                               matrix(weights.qzeros, layer.codec().words(N)),
                               matrix(weights.scales, N),
                               matrix(weights.gIdx, 0),
                               matrix(weights.bias, 0),
                               y};
  int64_t sizes[] = {rows, N, K, layer.groups};
  return launchBlocks(kernels.product, matrices, sizes, {rows, N}, stream);
}

Status QuantLinear::State::forwardThere(const TensorView &x,
                                        const TensorView &y, void *stream,
                                        void *scratch) {
  LeadingDims dims = leadingDims(x, y);
  int64_t rows = dims.back().extent, K = layer.inFeatures;
  int64_t xColumnStride = x.stride(x.shape.size() - 1);
  size_t xSize = dtypeSize(x.type), ySize = dtypeSize(y.type);
  bool strided = xColumnStride != 1;
  bool aligned = device && isAligned(x, y, dims) &&
                 (!strided || K * static_cast<int64_t>(xSize) % 16 == 0);
  Result<const LoadedKernel *> product =
      kernelFor(x.type, rows, aligned, stream);
  if (!product.ok())
    return product.status();
  Result<CallKernels> kernels =
      kernelsOf(**product, x.type, rows, aligned, strided);
  if (!kernels.ok())
    return kernels.status();

  WeightAddresses weights = addresses(**product);
  llvm::SmallVector<int64_t, 8> index(dims.size(), 0); // of the outer extents
  while (true) {
    char *xRows = static_cast<char *>(x.data);
    char *yRows = static_cast<char *>(y.data);
    for (size_t dim = 0; dim + 1 < dims.size(); ++dim) {
      xRows += index[dim] * dims[dim].xStride * static_cast<int64_t>(xSize);
      yRows += index[dim] * dims[dim].yStride * static_cast<int64_t>(ySize);
    }
    Status status =
        launch(*kernels, weights, {xRows, dims.back().xStride, xColumnStride},
               {yRows, dims.back().yStride, 1}, rows, stream, scratch);
    if (!status.ok())
      return status;

    size_t dim = dims.size() - 1;
    while (dim > 0 && ++index[dim - 1] == dims[dim - 1].extent)
      index[--dim] = 0;
    if (dim == 0)
      return Status();
  }
}
