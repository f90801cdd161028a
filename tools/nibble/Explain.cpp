//===- Explain.cpp - nibble explain ---------------------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Says which kernel a layer's call runs, what it costs and what it is made of,
// on a machine with or without the GPU.
//
//===----------------------------------------------------------------------===//

#include "API/AheadOfTime.h"
#include "API/Floor.h"
#include "API/KernelChoice.h"
#include "API/PackedChoice.h"
#include "API/TunedTable.h"
#include "Commands.h"
#include "Layers.h"
#include "Layout/PackedProgram.h"
#include "Model/PackedWeights.h"
#include "Ptxas.h"
#include "Table.h"
#include "Target/TargetSpec.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"
#include <limits>

using namespace nibble;
using namespace nibble::tool;
using namespace llvm;

cl::SubCommand tool::explainCommand(
    "explain", "Say which kernel a layer's call runs, and what it is");

static cl::opt<std::string> modelFolder("model", cl::sub(explainCommand),
                                        cl::cat(category), cl::Required,
                                        cl::value_desc("folder"),
                                        cl::desc("The checkpoint"));
static cl::opt<std::string> layerName("layer", cl::sub(explainCommand),
                                      cl::cat(category), cl::Required,
                                      cl::value_desc("name"),
                                      cl::desc("The layer"));
static cl::opt<std::string> rowCounts("m", cl::sub(explainCommand),
                                      cl::cat(category), cl::init("1"),
                                      cl::value_desc("list"),
                                      cl::desc("Numbers of rows of x"));
static cl::opt<std::string> typeName("dtype", cl::sub(explainCommand),
                                     cl::cat(category), cl::init("f16"),
                                     cl::value_desc("type"),
                                     cl::desc("Type of x: f16, bf16 or f32"));
static cl::opt<std::string> formatName("format", cl::sub(explainCommand),
                                       cl::cat(category),
                                       cl::value_desc("name"),
                                       cl::desc(formatHelp));
static cl::opt<std::string>
    target("target", cl::sub(explainCommand), cl::cat(category),
           cl::init("sm_90a"), cl::value_desc("name"),
           cl::desc("sm_80, sm_86, sm_89, sm_90a, sm_100a, sm_120a or host"));
static cl::opt<int> multiprocessors(
    "multiprocessors", cl::sub(explainCommand), cl::cat(category), cl::init(0),
    cl::value_desc("number"),
    cl::desc("Of the GPU; default: those of the target's usual one"));
static cl::opt<bool>
    fastMemory("fast-memory", cl::sub(explainCommand), cl::cat(category),
               cl::desc("The GPU's memory is an H200's rather than an H100's"));
static cl::opt<std::string>
    config("config", cl::sub(explainCommand), cl::cat(category),
           cl::value_desc("words"),
           cl::desc("Words of a configuration instead of nibble's own choice"));
static cl::opt<std::string>
    schedule("schedule", cl::sub(explainCommand), cl::cat(category),
             cl::init("auto"), cl::value_desc("name"),
             cl::desc("auto, host, simt, mma or mma_packed"));
static cl::opt<std::string>
    tuning("tuning", cl::sub(explainCommand), cl::cat(category),
           cl::value_desc("file"),
           cl::desc("What nibble tune -o wrote: explain what calls run with "
                    "these results"));

/// What one call is about.
namespace {
struct Call {
  const model::Layer &layer;
  DType type;
  int64_t rows;
  TargetSpec spec;
  /// Of a GPU.
  driver::DeviceProperties device;
  /// What tuning found for such calls, if anything.
  std::optional<FiledTimes> tuned;
};
} // namespace

static void say(StringRef what, const Twine &text) {
  outs() << left_justify(what, 16) << printable(text.str()) << "\n";
}

static CallKind kindOf(const Call &call) {
  bool host = call.spec.isHost();
  return {call.type, bucketOf(call.rows, host),
          !host && denseIsAligned(call.layer, call.type)};
}

/// The request that a layer makes for `call`.
static Result<CompileRequest> requestOf(const Call &call) {
  Result<KernelConfig> overrides = parseOverrides(config);
  if (!overrides.ok())
    return overrides.status();
  if (call.tuned)
    overrides = bestConfig(call.tuned->times).value_or(*overrides);
  if (!call.spec.isHost())
    return gpuRequest(call.layer, kindOf(call), target, call.device, *overrides,
                      schedule);
  CompileRequest request = hostRequest(call.layer, kindOf(call), *overrides);
  request.schedule = schedule;
  return request;
}

/// How often each of `names` is there, the most frequent first.
static std::string countNames(ArrayRef<StringRef> names) {
  MapVector<StringRef, int> counts;
  for (StringRef name : names)
    ++counts[name];
  auto list = counts.takeVector();
  llvm::sort(list, [](auto &a, auto &b) {
    return std::pair(-a.second, a.first) < std::pair(-b.second, b.first);
  });
  std::string text;
  for (auto [name, count] : list)
    text +=
        (text.empty() ? "" : ", ") + std::to_string(count) + " " + name.str();
  return text;
}

/// The instruction of `line` without the predicate before it.
static StringRef withoutPredicate(StringRef line) {
  return line.starts_with("@") ? line.split(' ').second.ltrim() : line;
}

/// How often each kind of instruction stands in `ptx`: by its name up to the
/// first point, and of memory and matrix instructions up to the second.
static std::string instructionMix(StringRef ptx) {
  SmallVector<StringRef> names;
  for (StringRef line : split(ptx, "\n")) {
    StringRef name = withoutPredicate(line.trim()).take_while([](char c) {
      return isAlnum(c) || c == '.' || c == '_' || c == ':';
    });
    if (name.empty() || !isLower(name[0]))
      continue;
    auto [first, rest] = name.split('.');
    bool whole = is_contained({"ld", "st", "cp", "mma", "wgmma", "ldmatrix",
                               "mbarrier", "red", "atom"},
                              first);
    if (whole)
      first = name.take_front(first.size() + 1 + rest.split('.').first.size());
    names.push_back(first);
  }
  return countNames(names);
}

/// The same of nvdisasm's text, whose lines begin with an address as a comment.
static std::string machineCodeMix(StringRef sass) {
  SmallVector<StringRef> names;
  for (StringRef line : split(sass, "\n")) {
    line = line.trim();
    if (!line.consume_front("/*"))
      continue;
    line = withoutPredicate(line.split("*/").second.ltrim());
    StringRef name = line.take_while(isAlnum);
    if (!name.empty())
      names.push_back(name);
  }
  return countNames(names);
}

/// Registers, and how many programs a multiprocessor holds at a time. Sizes of
/// a multiprocessor are from the CUDA C++ Programming Guide, "Technical
/// Specifications per Compute Capability".
static Status explainResources(const Call &call, const CompiledKernel &kernel,
                               int64_t programs) {
  Result<std::optional<Ptxas>> ptxas = Ptxas::find("");
  if (!ptxas.ok())
    return ptxas.status();
  int64_t registers = 0;
  if (*ptxas) {
    Result<Ptxas::Assembled> made =
        (*ptxas)->assemble(kernel.code, kernel.target);
    if (!made.ok())
      return made.status();
    registers = made->registers;
    say("registers", Twine(registers) + " a thread, " +
                         Twine(made->spilledBytes) + " bytes spilled (" +
                         (*ptxas)->name + ")");
    Result<std::optional<std::string>> text = disassemble(made->cubin);
    if (!text.ok())
      return text.status();
    if (*text)
      say("machine code", machineCodeMix(**text));
  } else {
    say("registers", "not known without ptxas");
  }
  bool small = is_contained({"sm_86", "sm_89", "sm_120a"}, kernel.target);
  int64_t blockLimit = kernel.target == "sm_86" ? 16 : small ? 24 : 32;
  int64_t threadLimit = (small ? 1536 : 2048) / kernel.threads;
  // Each block takes 1 KiB beyond its own.
  int64_t sharedLimit =
      (call.spec.sharedBytes + 1024) / (kernel.sharedBytes + 1024);
  // Registers are given out to warps in units of 256.
  int64_t warpRegisters = (registers * 32 + 255) / 256 * 256;
  int64_t registerLimit =
      registers ? 65536 / warpRegisters / (kernel.threads / 32) : threadLimit;
  int64_t resident =
      std::min({threadLimit, sharedLimit, registerLimit, blockLimit});
  StringRef bound = resident == sharedLimit     ? "shared memory"
                    : resident == registerLimit ? "registers"
                    : resident == threadLimit   ? "threads"
                                                : "their number";
  double waves = static_cast<double>(programs) /
                 static_cast<double>(std::max<int64_t>(resident, 1) *
                                     call.device.multiprocessors);
  say("residency", Twine(resident) + " programs a multiprocessor, bounded by " +
                       bound + "; " + Twine(call.device.multiprocessors) +
                       " multiprocessors; " + fixed(waves, 2) + " waves");
  return Status();
}

static void explainFloors(double bytes, double operations) {
  std::optional<Floors> floors = floorsOf(target, bytes, operations);
  if (!floors) {
    say("floors", "not measured for " + target);
    return;
  }
  say("floors", fixed(floors->memory, 2) + " us to move the bytes, " +
                    fixed(floors->operations, 2) +
                    " us to multiply, by an H100's rates");
}

/// Why a call runs what it runs.
static std::string reason(const Call &call) {
  if (!config.empty() || schedule != "auto")
    return "as the options say";
  if (!call.tuned)
    return "not tuned: nibble's choice for the layer's size and the rows";
  const MeasuredTimes &times = call.tuned->times;
  double best = std::numeric_limits<double>::infinity();
  for (const auto &[words, time] : times)
    best = std::min(best, time.median);
  return "the fastest of " + std::to_string(times.size()) + " measured, " +
         fixed(best, 2) + " us: " + call.tuned->key.name;
}

/// What tuning would try, in its order, and what cannot run.
static void explainAlternatives(const Call &call) {
  // The kernel is for all rows of the bucket.
  int64_t rows = rowsToChooseFor(bucketOf(call.rows, /*host=*/false));
  const driver::DeviceProperties &device = call.device;
  std::vector<KernelConfig> ranked =
      tuningConfigs(call.layer, call.rows, /*packed=*/true, device);
  for (auto [i, each] : enumerate(ranked)) {
    std::string words = overrideWords(each);
    bool own = each.params.empty(); // nothing but nibble's choice
    std::string time;
    if (call.tuned)
      if (auto found = call.tuned->times.find(words);
          found != call.tuned->times.end())
        time = ": " + fixed(found->second.median, 2) + " us";
    say(i == 0 ? "ranked" : "",
        Twine(i + 1) + ". " + (own ? "nibble's own choice" : words) + time);
  }
  bool first = true;
  for (const PackedChoice &each : packedChoices(call.layer, rows, device))
    if (each.refusal) {
      say(first ? "excluded" : "",
          overrideWords(each.config) + ": " + *each.refusal);
      first = false;
    }
  if (!model::packedGroupRows(call.layer))
    say("packed order", "the layer has none");
  else if (packedChoices(call.layer, rows, device).empty())
    say("packed order", "not for " + Twine(call.rows) +
                            " rows; it is for up to " +
                            Twine(layout::PackedProgram::mostRows));
}

/// The kernel that sorts x before a product of `config`, if one does.
static void explainBefore(const Call &call, const KernelConfig &config) {
  if (!config.packed || config.held || !sortsColumns(call.layer, call.device))
    return;
  size_t sorter =
      sorterFor(call.layer, kindOf(call), /*strided=*/false, call.device);
  CompileRequest request =
      sortColumnsRequest(call.layer, call.type, sorter, target);
  say("before it", request.kernel + ": " + request.config);
}

static Status explain(const Call &call) {
  const model::Layer &layer = call.layer;
  Result<CompileRequest> request = requestOf(call);
  if (!request.ok())
    return request.status();
  Result<CompiledKernel> kernel = compile(*request);
  if (!kernel.ok())
    return kernel.status();
  Result<int64_t> programs =
      kernel->interface.programs({{"M", call.rows},
                                  {"N", layer.outFeatures},
                                  {"K", layer.inFeatures},
                                  {"G", layer.groups}});
  if (!programs.ok())
    return programs.status();
  double bytes = callBytes(layer, call.rows, call.type);
  double operations = 2.0 * static_cast<double>(call.rows) *
                      static_cast<double>(layer.inFeatures) *
                      static_cast<double>(layer.outFeatures);
  say("call",
      Twine(call.rows) + " rows of " + dtypeName(call.type) + " for " + target);
  say("work", fixed(bytes / 1e6, 3) + " MB, " + fixed(operations / 1e6, 1) +
                  " MFLOP: " + fixed(operations / bytes, 1) + " FLOP a byte");
  if (!call.spec.isHost())
    explainFloors(bytes, operations);
  say("kernel", kernel->name + " by schedule " + kernel->schedule +
                    (kernel->mmaRefused.empty()
                         ? ""
                         : "; mma refuses it: " + kernel->mmaRefused));
  say("configuration", kernel->config);
  say("chosen", reason(call));
  if (call.spec.isHost()) {
    say("programs", Twine(*programs));
    return Status();
  }
  say("programs",
      Twine(*programs) + " of " + Twine(kernel->threads) + " threads");
  explainBefore(call, *KernelConfig::parse(kernel->config));
  say("shared memory", Twine(kernel->sharedBytes) + " of " +
                           Twine(call.spec.sharedBytes) + " bytes a program");
  if (Status status = explainResources(call, *kernel, *programs); !status.ok())
    return status;
  say("instructions", instructionMix(kernel->code));
  explainAlternatives(call);
  return Status();
}

Status tool::runExplain() {
  Result<SmallVector<int64_t>> counts = readRowCounts(rowCounts);
  if (!counts.ok())
    return counts.status();
  Result<DType> type = readType(typeName);
  if (!type.ok())
    return type.status();
  Result<TargetSpec> spec = TargetSpec::parse(target);
  if (!spec.ok())
    return spec.status();
  if (multiprocessors < 0)
    return Status(ErrorCode::InvalidArgument, "--multiprocessors is negative");
  Result<model::Checkpoint> checkpoint =
      model::Checkpoint::open(modelFolder, formatName);
  if (!checkpoint.ok())
    return checkpoint.status();
  Result<model::Layer> layer = checkpoint->load(layerName);
  if (!layer.ok())
    return layer.status();
  std::vector<FiledTimes> results;
  if (!tuning.empty()) {
    Result<std::vector<FiledTimes>> read = readTimesFile(tuning);
    if (!read.ok())
      return read.status();
    results = resultsFor(*layer, *type, target, *read);
  }
  say("layer", layerName + ": K = " + Twine(layer->inFeatures) +
                   ", N = " + Twine(layer->outFeatures) + ", " +
                   Twine(layer->bits) + " bits, " + Twine(layer->groups) +
                   " groups" + (layer->actOrder ? ", act-order" : "") +
                   (layer->bias.empty() ? "" : ", bias"));
  for (int64_t rows : *counts) {
    outs() << "\n";
    Call call = {*layer,
                 *type,
                 rows,
                 *spec,
                 propertiesOf(*spec,
                              multiprocessors ? multiprocessors
                                              : usualMultiprocessors(target),
                              fastMemory),
                 std::nullopt};
    for (FiledTimes &each : results)
      if (config.empty() && schedule == "auto" &&
          each.key.call == tuningCall(*layer, "auto", *type, rows))
        call.tuned = each;
    Status status = explain(call);
    if (!status.ok())
      return status;
  }
  outs().flush();
  return Status();
}
