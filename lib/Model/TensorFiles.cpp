//===- Model/TensorFiles.cpp - The tensors of a model's folder ------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See TensorFiles.h.
//
//===----------------------------------------------------------------------===//

#include "Model/TensorFiles.h"
#include "Model/Json.h"
#include "llvm/Support/FileSystem.h"
#include <filesystem>
#include <set>

using namespace nibble;
using namespace nibble::model;
namespace fs = std::filesystem;

const FileTensor *TensorFiles::find(const std::string &name) const {
  auto found = byName.find(name);
  return found == byName.end() ? nullptr : found->second;
}

Status TensorFiles::add(const std::string &path) {
  Result<SafetensorsFile> file = SafetensorsFile::open(path);
  if (!file.ok())
    return file.status();
  files.push_back(std::make_unique<SafetensorsFile>(std::move(*file)));
  for (const auto &[name, tensor] : files.back()->tensors())
    if (!byName.emplace(name, &tensor).second)
      return Status(ErrorCode::InvalidFile,
                    path + ": tensor '" + name + "' is in another file too");
  return Status();
}

Status TensorFiles::openIndex(const std::string &folder,
                              const std::string &indexPath) {
  auto invalid = [&](const std::string &why) {
    return Status(ErrorCode::InvalidFile, indexPath + ": " + why);
  };
  Result<llvm::json::Object> index = readJsonFile(indexPath);
  if (!index.ok())
    return index.status();
  const llvm::json::Object *places = index->getObject("weight_map");
  if (!places)
    return invalid("has no object 'weight_map'");
  std::map<std::string, std::string> fileOf;
  std::set<std::string> names;
  for (const auto &[tensor, value] : *places) {
    std::optional<llvm::StringRef> file = value.getAsString();
    if (!file || file->empty())
      return invalid("names no file for tensor '" + tensor.str() + "'");
    fs::path relative(file->str());
    bool leaves = relative.is_absolute();
    for (const fs::path &part : relative)
      leaves |= part == "..";
    if (leaves || file->contains('\0'))
      return invalid("names the file '" + file->str() + "' for tensor '" +
                     tensor.str() + "', which leaves the folder");
    fileOf[tensor.str()] = file->str();
    names.insert(file->str());
  }
  for (const std::string &name : names)
    if (Status status = add((fs::path(folder) / name).string()); !status.ok())
      return status;
  for (const auto &[tensor, file] : fileOf)
    if (!find(tensor))
      return invalid("tensor '" + tensor + "' is not in '" + file + "'");
  return Status();
}

Result<TensorFiles> TensorFiles::open(const std::string &path) {
  TensorFiles result;
  std::error_code error;
  fs::file_status kind = fs::status(path, error);
  if (!fs::exists(kind))
    return Status(ErrorCode::NotFound, "'" + path + "' does not exist");
  if (!fs::is_directory(kind)) {
    if (Status status = result.add(path); !status.ok())
      return status;
    return result;
  }
  std::string index =
      (fs::path(path) / "model.safetensors.index.json").string();
  if (fs::exists(index, error)) {
    if (Status status = result.openIndex(path, index); !status.ok())
      return status;
    return result;
  }
  std::set<std::string> found;
  // Not the standard library's, which ends the process where memory ends.
  for (llvm::sys::fs::directory_iterator each(path, error), end;
       !error && each != end; each.increment(error))
    if (fs::path(each->path()).extension() == ".safetensors")
      found.insert(each->path());
  if (error)
    return Status(ErrorCode::IoError,
                  "cannot list '" + path + "': " + error.message());
  if (found.empty())
    return Status(ErrorCode::NotFound,
                  "'" + path + "' has no .safetensors file");
  for (const std::string &file : found)
    if (Status status = result.add(file); !status.ok())
      return status;
  return result;
}
