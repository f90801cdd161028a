//===- SystemFaults.cpp - What may fail beneath a process -----------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A library to preload that lets calls on the files of a cache fail as they do
// on disks and on network file systems, and others as where something is used
// up. SYSTEM_FAULTS names, separated by commas,
//
//   no-locks     locks are not served: ENOLCK
//   no-locks-at-all  nor known: EOPNOTSUPP
//   lost-answer  a rename is done, and said to have failed: ENOENT; and a link:
//                EEXIST
//   no-rename    a rename is not done: EIO
//   no-link      no file gets a second name: EPERM
//   no-new-name  no rename can be told to replace nothing: EINVAL
//   late-error   what was written is not kept, said by fsync: EDQUOT
//   read-only    nothing is opened for writing: EROFS
//   stale        every read: ESTALE
//   stale-once   the first read of each name: ESTALE
//   no-threads   no thread is started: EAGAIN
//   at-random    those named, each time with probability 1/2
//
//===----------------------------------------------------------------------===//

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <mutex>
#include <pthread.h>
#include <random>
#include <set>
#include <string>
#include <unistd.h>

#define EXPORT extern "C" __attribute__((visibility("default")))

static bool isNamed(const char *fault) {
  const char *all = std::getenv("SYSTEM_FAULTS");
  std::string list = "," + std::string(all ? all : "") + ",";
  return list.find("," + std::string(fault) + ",") != std::string::npos;
}

static bool happens(const char *fault) {
  if (!isNamed(fault))
    return false;
  static thread_local std::mt19937 random(std::random_device{}());
  return !isNamed("at-random") || random() % 2;
}

template <typename FunctionT> static FunctionT *next(const char *name) {
  return reinterpret_cast<FunctionT *>(dlsym(RTLD_NEXT, name));
}

static int failing(int error) {
  errno = error;
  return -1;
}

static bool isEntry(const std::string &path) {
  return path.find(".entry") != std::string::npos;
}

/// The name under which `file` was opened.
static std::string nameOf(int file) {
  char name[4096];
  std::string link = "/proc/self/fd/" + std::to_string(file);
  ssize_t size = readlink(link.c_str(), name, sizeof(name));
  return size < 0 ? "" : std::string(name, static_cast<size_t>(size));
}

static bool isStale(int file) {
  std::string name = nameOf(file);
  if (!isEntry(name))
    return false;
  if (happens("stale"))
    return true;
  static std::mutex mutex;
  static std::set<std::string> seen;
  std::lock_guard lock(mutex);
  return happens("stale-once") && seen.insert(name).second;
}

EXPORT int fcntl(int file, int command, ...) {
  va_list list;
  va_start(list, command);
  void *argument = va_arg(list, void *);
  va_end(list);
  if (command == F_OFD_SETLK) {
    if (happens("no-locks"))
      return failing(ENOLCK);
    if (happens("no-locks-at-all"))
      return failing(EOPNOTSUPP);
  }
  return next<int(int, int, ...)>("fcntl")(file, command, argument);
}

EXPORT int fsync(int file) {
  if (isEntry(nameOf(file)) && happens("late-error"))
    return failing(EDQUOT);
  return next<int(int)>("fsync")(file);
}

EXPORT int open(const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  mode_t mode = va_arg(list, mode_t);
  va_end(list);
  if ((flags & (O_ACCMODE | O_CREAT)) != O_RDONLY &&
      std::strstr(path, "/cache/") && happens("read-only"))
    return failing(EROFS);
  return next<int(const char *, int, ...)>("open")(path, flags, mode);
}

EXPORT int rename(const char *from, const char *to) noexcept {
  if (isEntry(to) && happens("no-rename"))
    return failing(EIO);
  int result = next<int(const char *, const char *)>("rename")(from, to);
  return isEntry(to) && happens("lost-answer") ? failing(ENOENT) : result;
}

EXPORT int link(const char *from, const char *to) noexcept {
  if (isEntry(to) && happens("no-link"))
    return failing(EPERM);
  int result = next<int(const char *, const char *)>("link")(from, to);
  return isEntry(to) && happens("lost-answer") ? failing(EEXIST) : result;
}

EXPORT int renameat2(int fromFolder, const char *from, int toFolder,
                     const char *to, unsigned flags) noexcept {
  if (isEntry(to) && happens("no-new-name"))
    return failing(EINVAL);
  int result = next<int(int, const char *, int, const char *, unsigned)>(
      "renameat2")(fromFolder, from, toFolder, to, flags);
  return result == 0 && isEntry(to) && happens("lost-answer") ? failing(ENOENT)
                                                              : result;
}

EXPORT ssize_t pread(int file, void *into, size_t size, off_t offset) {
  if (isStale(file))
    return failing(ESTALE);
  return next<ssize_t(int, void *, size_t, off_t)>("pread")(file, into, size,
                                                            offset);
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*body)(void *), void *argument) {
  if (happens("no-threads"))
    return EAGAIN;
  return next<int(pthread_t *, const pthread_attr_t *, void *(*)(void *),
                  void *)>("pthread_create")(thread, attributes, body,
                                             argument);
}

EXPORT int open64(const char *path, int flags, ...)
    __attribute__((alias("open")));
EXPORT int fcntl64(int file, int command, ...) __attribute__((alias("fcntl")));
EXPORT ssize_t pread64(int file, void *into, size_t size, off_t offset)
    __attribute__((alias("pread")));
