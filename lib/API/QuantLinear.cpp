//===- API/QuantLinear.cpp - A linear layer with packed weights -----------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Making, filling and describing layers; Forward.cpp runs them.
//
//===----------------------------------------------------------------------===//

#include "nibble/QuantLinear.h"
#include "API/PackedChoice.h"
#include "API/State.h"
#include "Jit/KernelCache.h"
#include "Model/Pack.h"
#include "Model/Shard.h"
#include "Support/Half.h"
#include "Support/ThreadPool.h"
#include "Target/TargetSpec.h"
#include "llvm/ADT/StringRef.h"
#include <algorithm>

using namespace nibble;

static Status invalid(const std::string &message) {
  return Status(ErrorCode::InvalidArgument, message);
}

//===----------------------------------------------------------------------===//
// The caller's arrays
//===----------------------------------------------------------------------===//

/// Checks that `array` is dense, of a rank and with memory; gives its elements.
static Result<int64_t> checkDense(const char *name, const TensorView &array,
                                  size_t rank) {
  if (array.shape.size() != rank)
    return invalid(std::string(name) + " has " +
                   std::to_string(array.shape.size()) + " extents, expected " +
                   std::to_string(rank));
  int64_t elements = 1;
  for (int64_t extent : array.shape)
    if (extent < 0 || extent > (int64_t(1) << 40) ||
        __builtin_mul_overflow(elements, extent, &elements))
      return invalid(std::string(name) + " has extent " +
                     std::to_string(extent));
  TensorView dense = TensorView::dense(array.data, array.type, array.shape);
  for (size_t dim = 0; !array.strides.empty() && dim < rank; ++dim)
    if (array.strides.size() != rank || array.strides[dim] != dense.stride(dim))
      return invalid(std::string(name) + " is not dense in row-major order");
  if (elements != 0 && !array.data)
    return invalid(std::string(name) + " has no memory");
  return elements;
}

/// The same of an `array` that must hold elements of type `type`.
static Result<int64_t> checkArray(const char *name, const TensorView &array,
                                  DType type, size_t rank) {
  if (array.type != type)
    return invalid(std::string(name) + " has elements of type " +
                   dtypeName(array.type) + ", expected " + dtypeName(type));
  return checkDense(name, array, rank);
}

/// Copies `array`, which must hold elements of type `type`.
template <typename VectorT>
static Status copyArray(const char *name, const TensorView &array, DType type,
                        size_t rank, VectorT &into) {
  Result<int64_t> elements = checkArray(name, array, type, rank);
  if (!elements.ok())
    return elements.status();
  into.resize(*elements);
  copyBulk(into.data(), array.data, into.size() * sizeof(*into.data()));
  return Status();
}

/// Copies `array` of any floating-point type as floats.
static Status copyFloats(const char *name, const TensorView &array, size_t rank,
                         std::vector<float> &into) {
  if (array.type == DType::F32)
    return copyArray(name, array, DType::F32, rank, into);
  if (array.type == DType::I32)
    return invalid(std::string(name) + " has elements of type i32, expected "
                                       "f16, bf16 or f32");
  std::vector<uint16_t> halves;
  if (Status status = copyArray(name, array, array.type, rank, halves);
      !status.ok())
    return status;
  into.resize(halves.size());
  if (array.type == DType::F16)
    halvesToFloats(halves.data(), halves.size(), into.data());
  else
    std::transform(halves.begin(), halves.end(), into.begin(),
                   [](uint16_t bits) { return bfloatToFloat(bits); });
  return Status();
}

/// Copies `array` of any floating-point type as the scales of `layer`.
static Status copyScales(const TensorView &array, model::Layer &layer) {
  if (array.type == DType::F16)
    return copyArray("scales", array, DType::F16, 2, layer.scales);
  std::vector<float> numbers;
  Status status = copyFloats("scales", array, 2, numbers);
  if (status.ok())
    layer.setScales(numbers);
  return status;
}

//===----------------------------------------------------------------------===//
// Making
//===----------------------------------------------------------------------===//

/// Takes the device called `name`.
static Status chooseDevice(const std::string &name, RunSettings &settings) {
  if (name == "cpu")
    return Status();
  llvm::StringRef number = name;
  int ordinal = 0;
  bool any = name == "auto";
  if (!any && (!number.consume_front("cuda:") ||
               number.getAsInteger(10, ordinal) || ordinal < 0))
    return Status(ErrorCode::InvalidArgument,
                  "there is no device '" + name +
                      "'; devices are auto, cpu and cuda:0, cuda:1, ...");
  Result<driver::Driver *> driver = driver::Driver::get();
  if (!driver.ok())
    return any ? Status() : driver.status();
  Result<driver::Device *> found = (*driver)->device(ordinal);
  if (!found.ok())
    return any ? Status() : found.status();
  Result<TargetSpec> spec =
      TargetSpec::forCapability((*found)->properties().computeCapability);
  if (!spec.ok())
    return any ? Status() : spec.status();
  settings.device = *found;
  settings.properties = settings.device->properties();
  settings.properties.computeCapability = spec->capability;
  settings.deviceName = "cuda:" + std::to_string(ordinal);
  settings.target = spec->name;
  return Status();
}

/// Refuses a schedule and words, `config`, that the device has no kernels for.
static Status checkChoices(const RunSettings &settings,
                           const std::string &config) {
  CompileRequest request;
  request.config = config;
  request.target = settings.target;
  request.schedule = settings.schedule;
  Status status = requestKey(request).status();
  if (!status.ok())
    return status;
  bool mayBePacked = settings.schedule == "mma_packed" ||
                     (settings.schedule == "auto" && settings.device);
  if (settings.overrides.packed && !mayBePacked)
    return invalid("the configuration '" + config +
                   "' asks for the packed order, which schedule " +
                   settings.schedule + " for target " + settings.target +
                   " does not read");
  return Status();
}

Status QuantLinear::State::configure(const QuantLinearOptions &options) {
  Result<KernelConfig> given = parseOverrides(options.config);
  if (!given.ok())
    return given.status();
  overrides = std::move(*given);
  schedule = options.schedule;
  tuning = options.tuning;
  pinned = options.pinned;
  batchInvariant = options.batchInvariant;
  Status status = chooseDevice(options.device, *this);
  return status.ok() ? checkChoices(*this, options.config) : status;
}

Status QuantLinear::State::upload(llvm::ArrayRef<int32_t> codes) {
  if (!device)
    return Status();
  using Orders = DeviceWeights::Orders;
  Orders orders = Orders::Checkpoint;
  if (schedule == "auto" || schedule == "mma_packed")
    orders = readsPackedAlone(layer, properties, overrides, schedule)
                 ? Orders::Packed
                 : Orders::Both;
  Result<DeviceWeights> uploaded =
      DeviceWeights::upload(layer, codes, *device, target, orders);
  if (uploaded.ok())
    weights = std::move(*uploaded);
  return uploaded.status();
}

Result<QuantLinear> QuantLinear::State::hold(model::Layer layer,
                                             const QuantLinearOptions &options,
                                             std::vector<int32_t> inputRows) {
  auto state = std::make_shared<State>();
  state->layer = std::move(layer);
  state->inputRows = std::move(inputRows);
  Status status = state->configure(options);
  if (status.ok())
    status = state->upload(state->layer.qweight);
  if (!status.ok())
    return status;
  return QuantLinear(std::move(state));
}

WeightAddresses
QuantLinear::State::addresses(const LoadedKernel &kernel) const {
  if (device)
    return weights.addresses(kernel.readsPacked());
  return {layer.qweight.data(), layer.qzeros.data(), layer.scaleBytes().data(),
          layer.gIdx.data(), layer.bias.data()};
}

/// Takes all of `arrays` but the codes, whose number is layer.qweight's, and
/// checks that they fit together.
static Status readAllButCodes(const QuantLinearArrays &arrays,
                              model::Layer &layer) {
  Status status =
      copyArray("qzeros", arrays.qzeros, DType::I32, 2, layer.qzeros);
  if (status.ok())
    status = copyScales(arrays.scales, layer);
  if (status.ok() && arrays.gIdx)
    status = copyArray("g_idx", *arrays.gIdx, DType::I32, 1, layer.gIdx);
  if (status.ok() && arrays.bias)
    status = copyFloats("bias", *arrays.bias, 1, layer.bias);
  if (!status.ok())
    return status;

  if (!Codec::takes(arrays.bits))
    return Status(ErrorCode::Unsupported,
                  "bits is " + std::to_string(arrays.bits) + "; nibble takes " +
                      Codec::widthsText);
  layer.bits = arrays.bits;
  Codec codec = layer.codec();
  layer.inFeatures = codec.codes(arrays.qweight.shape[0]);
  layer.outFeatures = arrays.qweight.shape[1];
  layer.groupSize = arrays.groupSize;
  layer.groups = arrays.scales.shape[0];
  for (auto [name, array, columns] :
       {std::tuple("qzeros", &arrays.qzeros, codec.words(layer.outFeatures)),
        std::tuple("scales", &arrays.scales, layer.outFeatures)})
    if (array->shape[0] != layer.groups || array->shape[1] != columns)
      return invalid(
          std::string(name) + " is " + std::to_string(array->shape[0]) + " x " +
          std::to_string(array->shape[1]) + ", expected " +
          std::to_string(layer.groups) + " x " + std::to_string(columns));
  Result<int64_t> rows = model::checkSizes(layer.bits, layer.groupSize,
                                           layer.inFeatures, layer.outFeatures);
  if (!rows.ok())
    return rows.status();
  if (int64_t groups = model::groupCount(layer.inFeatures, *rows);
      !arrays.gIdx && layer.groups != groups)
    return invalid("there are " + std::to_string(layer.groups) +
                   " groups; groupsize " + std::to_string(*rows) +
                   " and infeatures " + std::to_string(layer.inFeatures) +
                   " need " + std::to_string(groups));
  if (!arrays.gIdx)
    for (int64_t k = 0; k < layer.inFeatures; ++k)
      layer.gIdx.push_back(static_cast<int32_t>(k / *rows));
  return model::checkLayer(layer);
}

Result<QuantLinear> QuantLinear::create(const QuantLinearArrays &arrays,
                                        const QuantLinearOptions &options) try {
  auto state = std::make_shared<State>();
  if (Status status = state->configure(options); !status.ok())
    return status;
  model::Layer &layer = state->layer;
  Result<int64_t> words = checkArray("qweight", arrays.qweight, DType::I32, 2);
  if (!words.ok())
    return words.status();
  layer.qweight.resize(*words);
  // Codes may be anything, and are most of it: they are copied while the rest
  // is read and checked, and the caller's go to the device meanwhile.
  llvm::ArrayRef codes(static_cast<const int32_t *>(arrays.qweight.data),
                       layer.qweight.size());
  Status status;
  ThreadPool::runBoth(
      [&] {
        status = readAllButCodes(arrays, layer);
        if (status.ok() && !layer.actOrder)
          status = state->upload(codes);
      },
      [&] { copyBulk(layer.qweight.data(), codes.data(), codes.size() * 4); });
  // Rows of act-order are sorted on the host, from the layer's own codes.
  if (status.ok() && layer.actOrder)
    status = state->upload(layer.qweight);
  if (!status.ok())
    return status;
  return QuantLinear(std::move(state));
} catch (...) {
  return caughtOutOfMemory();
}

Result<QuantLinear> QuantLinear::empty(int bits, int64_t groupSize,
                                       int64_t inFeatures, int64_t outFeatures,
                                       bool bias,
                                       const QuantLinearOptions &options) try {
  Result<model::Layer> layer =
      model::emptyLayer(bits, groupSize, inFeatures, outFeatures, bias);
  if (!layer.ok())
    return layer.status();
  return State::hold(std::move(*layer), options);
} catch (...) {
  return caughtOutOfMemory();
}

Status QuantLinear::pack(const TensorView &weight, const TensorView &scales,
                         const TensorView &zeros,
                         const std::optional<TensorView> &gIdx,
                         const std::optional<TensorView> &bias) try {
  if (!state)
    return State::holdsNothing();
  const model::Layer &old = state->layer;
  std::vector<float> w, s, z, b;
  std::vector<int32_t> groups;
  Status status = copyFloats("weight", weight, 2, w);
  if (status.ok())
    status = copyFloats("scales", scales, 2, s);
  if (status.ok())
    status = copyFloats("zeros", zeros, 2, z);
  if (status.ok() && gIdx)
    status = copyArray("g_idx", *gIdx, DType::I32, 1, groups);
  if (status.ok() && bias)
    status = copyFloats("bias", *bias, 1, b);
  if (!status.ok())
    return status;
  for (auto [name, array, columns] :
       {std::tuple("weight", &weight, old.inFeatures),
        std::tuple("scales", &scales, old.groups),
        std::tuple("zeros", &zeros, old.groups)})
    if (array->shape[0] != old.outFeatures || array->shape[1] != columns)
      return invalid(
          std::string(name) + " is " + std::to_string(array->shape[0]) + " x " +
          std::to_string(array->shape[1]) + ", expected " +
          std::to_string(old.outFeatures) + " x " + std::to_string(columns));
  if (bias.has_value() == old.bias.empty())
    return invalid(bias ? "bias is given, but the layer has none"
                        : "bias is missing, and the layer has one");
  // Act-order may change, and with it the kernels: a new state.
  auto made = std::make_shared<State>();
  made->inputRows = state->inputRows;
  static_cast<RunSettings &>(*made) = *state;
  model::Layer &layer = made->layer;
  layer.bits = old.bits;
  layer.groupSize = old.groupSize;
  layer.inFeatures = old.inFeatures;
  layer.outFeatures = old.outFeatures;
  status = model::packLayer(layer, w, s, z, groups, b);
  if (status.ok())
    status = made->upload(layer.qweight);
  if (!status.ok())
    return status;
  {
    std::lock_guard lock(state->reservedMutex);
    made->hostWorkspace = std::move(state->hostWorkspace);
    made->deviceWorkspaces = std::move(state->deviceWorkspaces);
  }
  state = std::move(made);
  return Status();
} catch (...) {
  return caughtOutOfMemory();
}

//===----------------------------------------------------------------------===//
// Kernels and workspaces
//===----------------------------------------------------------------------===//

CompileRequest
QuantLinear::State::requestFor(CallKind kind,
                               const KernelConfig &chosen) const {
  if (device)
    return gpuRequest(layer, kind, target, properties, chosen, schedule);
  CompileRequest request = hostRequest(layer, kind, chosen);
  request.schedule = schedule;
  return request;
}

bool QuantLinear::State::sortsX() const {
  return device && weights.arePacked() && sortsColumns(layer, properties);
}

Result<QuantLinear::State::CallKernels>
QuantLinear::State::kernelsOf(const LoadedKernel &product, DType type,
                              int64_t rows, bool aligned, bool strided) {
  CallKernels kernels = {product};
  kernels.sorts = product.readsPacked() && sortsX() && !product.holdsX();
  if (!kernels.sorts && !strided)
    return kernels;
  size_t sorter = 0;
  // Moving x rounds alike whatever the rows, also for a batch-invariant layer.
  if (kernels.sorts)
    sorter = sorterFor(layer, {type, bucketOf(rows, /*host=*/false), aligned},
                       strided, properties);
  auto &slot = before[kernels.sorts ? 1 + sorter : 0][static_cast<int>(type)];
  kernels.before = slot.load(std::memory_order_acquire);
  if (kernels.before)
    return kernels;
  Result<std::shared_ptr<const LoadedKernel>> loaded = findOrCompile(
      kernels.sorts ? sortColumnsRequest(layer, type, sorter, target)
                    : makeDenseRequest(type, target),
      device);
  if (!loaded.ok())
    return loaded.status();
  std::lock_guard lock(mutex);
  hold(*loaded);
  kernels.before = loaded->get();
  slot.store(kernels.before, std::memory_order_release);
  return kernels;
}

Result<const LoadedKernel *> QuantLinear::State::kernelForDense(DType type,
                                                                int64_t rows) {
  if (Status status = checkCall(type, rows); !status.ok())
    return status;
  return kernelFor(type, rows, denseIsAligned(type), std::nullopt);
}

Status QuantLinear::State::checkCall(DType type, int64_t rows) {
  if (type == DType::I32)
    return invalid("x has elements of type i32, expected f16, bf16 or f32");
  if (rows < 1)
    return invalid("the number of rows is " + std::to_string(rows) +
                   ", expected at least 1");
  return Status();
}

bool QuantLinear::State::denseIsAligned(DType type) const {
  return device && nibble::denseIsAligned(layer, type);
}

Result<Workspace>
QuantLinear::State::workspaceFor(Workspace given, void *stream, size_t needed,
                                 const char *why,
                                 std::unique_lock<std::mutex> &alone) {
  Workspace found = given;
  if (!given.data) {
    alone = std::unique_lock(reservedMutex);
    if (!device)
      found = {hostWorkspace.data(), hostWorkspace.size()};
    else if (auto held = deviceWorkspaces.find(stream);
             held != deviceWorkspaces.end())
      found = {reinterpret_cast<void *>(held->second.address()),
               held->second.bytes()};
  }
  if (reinterpret_cast<uintptr_t>(found.data) % alignof(std::max_align_t))
    return invalid("the workspace is not aligned to " +
                   std::to_string(alignof(std::max_align_t)) + " bytes");
  if (found.bytes < needed)
    return invalid("the workspace has " + std::to_string(found.bytes) +
                   " bytes; " + why + " and needs " + std::to_string(needed));
  return found;
}

Status QuantLinear::State::reserve(size_t bytes, void *stream) {
  std::lock_guard lock(reservedMutex);
  if (!device) {
    if (bytes > hostWorkspace.size())
      hostWorkspace.resize(bytes);
    return Status();
  }
  if (auto held = deviceWorkspaces.find(stream);
      held != deviceWorkspaces.end() && held->second.bytes() >= bytes)
    return Status();
  Result<driver::DeviceBuffer> buffer =
      driver::DeviceBuffer::allocate(*device, bytes);
  if (!buffer.ok())
    return buffer.status();
  deviceWorkspaces[stream] = std::move(*buffer);
  return Status();
}

Status QuantLinear::reserveWorkspace(int64_t maxRows, void *stream) try {
  if (!state)
    return State::holdsNothing();
  if (maxRows < 0)
    return invalid("the number of rows is " + std::to_string(maxRows));
  return state->reserve(workspaceSize(maxRows), stream);
} catch (...) {
  return caughtOutOfMemory();
}

const QuantLinear::State &QuantLinear::held() const {
  static const auto nothing = std::make_shared<const State>();
  return state ? *state : *nothing;
}

TensorView QuantLinear::weight() const {
  const model::Layer &layer = held().layer;
  return TensorView::dense(
      layer.qweight.data(), DType::I32,
      {layer.codec().words(layer.inFeatures), layer.outFeatures});
}

int QuantLinear::bits() const { return held().layer.bits; }
int64_t QuantLinear::groupSize() const { return held().layer.groupSize; }
int64_t QuantLinear::inFeatures() const { return held().layer.inFeatures; }
int64_t QuantLinear::outFeatures() const { return held().layer.outFeatures; }
bool QuantLinear::actOrder() const { return held().layer.actOrder; }
bool QuantLinear::hasBias() const { return !held().layer.bias.empty(); }
const std::string &QuantLinear::device() const { return held().deviceName; }
const std::vector<int32_t> &QuantLinear::inputRows() const {
  return held().inputRows;
}
