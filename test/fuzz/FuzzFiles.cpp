//===- FuzzFiles.cpp - Files that a fuzzer fills --------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See FuzzFiles.h.
//
//===----------------------------------------------------------------------===//

#include "FuzzFiles.h"
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

using namespace nibble;

const std::string &fuzz::folder() {
  static std::string path = [] {
    std::string pattern = std::filesystem::exists("/dev/shm")
                              ? "/dev/shm/nibble-fuzz-XXXXXX"
                              : "/tmp/nibble-fuzz-XXXXXX";
    if (!mkdtemp(pattern.data()))
      std::abort();
    return pattern;
  }();
  static int once = std::atexit([] {
    std::error_code error;
    std::filesystem::remove_all(path, error);
  });
  (void)once;
  return path;
}

void fuzz::setFile(const std::string &name, std::string_view bytes) {
  std::string path = folder() + "/" + name;
  int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0 || write(file, bytes.data(), bytes.size()) !=
                      static_cast<ssize_t>(bytes.size()))
    std::abort();
  close(file);
}

void fuzz::removeFile(const std::string &name) {
  unlink((folder() + "/" + name).c_str());
}

std::vector<std::string_view> fuzz::cut(std::string_view input, size_t most) {
  std::vector<std::string_view> parts;
  while (parts.size() + 1 < most) {
    size_t end = input.find('\0');
    if (end == std::string_view::npos)
      break;
    parts.push_back(input.substr(0, end));
    input.remove_prefix(end + 1);
  }
  parts.push_back(input);
  return parts;
}

std::string fuzz::safetensors(std::string_view header, std::string_view data) {
  std::string file;
  for (int shift = 0; shift < 64; shift += 8)
    file += static_cast<char>(uint64_t(header.size()) >> shift);
  return file.append(header).append(data);
}
