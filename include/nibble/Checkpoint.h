//===- nibble/Checkpoint.h - A folder with quantized layers ---------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is read once of a checkpoint, for programs that take many layers of it:
//
//   Result<Checkpoint> checkpoint = Checkpoint::open("model/");
//   if (!checkpoint.ok())
//     return fail(checkpoint.status().message());
//   for (const std::string &name : checkpoint->layerNames())
//     layers[name] = QuantLinear::load(*checkpoint, name);
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_CHECKPOINT_H
#define NIBBLE_CHECKPOINT_H

#include "nibble/Export.h"
#include "nibble/Status.h"
#include <memory>
#include <string>
#include <vector>

namespace nibble {

namespace model {
class Checkpoint;
}

/// The settings and the tensors' places of a folder: GPTQ's (v1 and v2), AWQ's
/// (GEMM), or compressed-tensors' (pack-quantized). Its files stay open and
/// must not be changed meanwhile. Copies share what was read; any number of
/// threads may load layers of it.
class NIBBLE_EXPORT Checkpoint {
public:
  /// Holds nothing, and is refused where a checkpoint is asked for.
  Checkpoint() = default;

  /// Reads the settings and the headers of all files in `folder`. `format`
  /// overrules what the checkpoint says it is: `gptq` (zero points stored minus
  /// one), `gptq_v2` (as they are), `awq` or `compressed-tensors`; empty
  /// believes it. Errors name the file, and the key or tensor.
  static Result<Checkpoint> open(const std::string &folder,
                                 const std::string &format = "");

  /// The prefixes of all quantized layers, in alphabetical order.
  std::vector<std::string> layerNames() const;

private:
  friend class QuantLinear;
  std::shared_ptr<const model::Checkpoint> held;
};

} // namespace nibble

#endif // NIBBLE_CHECKPOINT_H
