//===- Jit/Timing.cpp - How long calls take on a device -------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Timing.h.
//
//===----------------------------------------------------------------------===//

#include "Jit/Timing.h"
#include <algorithm>

using namespace nibble;

int64_t nibble::coldBytes(const driver::Device &device) {
  return std::max<int64_t>(
      int64_t(256) << 20,
      5 * static_cast<int64_t>(device.properties().l2Bytes));
}

size_t nibble::coldCopies(size_t cold, size_t weightBytes, size_t freeBytes) {
  size_t bytes = std::max<size_t>(weightBytes, 1);
  size_t copies = std::min(
      {cold / bytes + 1, freeBytes / 2 / bytes, static_cast<size_t>(512)});
  return copies < 2 ? 0 : copies;
}

CallTime nibble::summarise(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  auto at = [&](double share) {
    return times[static_cast<size_t>(
        share * static_cast<double>(times.size() - 1) + 0.5)];
  };
  return {at(0.5), at(0.1), at(0.9)};
}

Result<CallTime> nibble::timeCalls(const driver::Device &device,
                                   llvm::ArrayRef<Call> calls, double budget) {
  if (calls.empty())
    return Status(ErrorCode::InvalidArgument, "there is no call to time");
  constexpr size_t leastCalls = 20, leastReplays = 5, mostReplays = 100;
  size_t captured = std::max(calls.size(), leastCalls);
  Result<std::unique_ptr<driver::Stream>> stream =
      driver::Stream::create(device);
  if (!stream.ok())
    return stream.status();
  Result<std::unique_ptr<driver::Graph>> graph =
      driver::Graph::capture(device, **stream, [&] {
        for (size_t i = 0; i < captured; ++i)
          if (Status status = calls[i % calls.size()]((*stream)->handle());
              !status.ok())
            return status;
        return Status();
      });
  if (!graph.ok())
    return graph.status();
  std::vector<double> times;
  double spent = 0;
  // The first replay warms up.
  for (size_t i = 0; i <= leastReplays || (spent < budget && i <= mostReplays);
       ++i) {
    Result<double> time = (*graph)->time(**stream);
    if (!time.ok())
      return time.status();
    if (i == 0)
      continue;
    spent += *time;
    times.push_back(*time / static_cast<double>(captured));
  }
  return summarise(std::move(times));
}
