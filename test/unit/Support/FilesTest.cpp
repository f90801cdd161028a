//===- FilesTest.cpp - Where files are written ----------------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Support/Files.h"
#include "../TestFolder.h"
#include <atomic>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace nibble;
using namespace nibble::test;

namespace {

mode_t typeOf(const std::string &path) {
  struct stat status = {};
  EXPECT_EQ(lstat(path.c_str(), &status), 0) << path;
  return status.st_mode & S_IFMT;
}

size_t countFiles(const TestFolder &folder) {
  std::filesystem::directory_iterator files(folder.path());
  return static_cast<size_t>(std::distance(begin(files), end(files)));
}

TEST(Files, AppearWholeAndAlone) {
  TestFolder folder;
  std::string path = folder / "file";
  for (std::string text : {"one", "", "three"}) {
    ASSERT_TRUE(writeFile(path, {text, "!"}).ok());
    EXPECT_EQ(*readFile(path), text + "!");
  }
  EXPECT_EQ(countFiles(folder), 1u);
  Status status = writeFile(folder.path(), {"x"});
  EXPECT_EQ(status.code(), ErrorCode::IoError);
  EXPECT_NE(status.message().find(folder.path()), std::string::npos);
}

TEST(Files, OneOfManyCreatesAFile) {
  TestFolder folder;
  std::string path = folder / "file", dangling = folder / "dangling";
  std::atomic<int> created = 0;
  std::string winner;
  std::vector<std::thread> threads;
  for (std::string text : {"one", "two", "three", "four", "five", "six"})
    threads.emplace_back([&, text] {
      Result<bool> is = createFile(path, {text, "!"});
      EXPECT_TRUE(is.ok()) << is.status().message();
      if (is.ok() && *is && ++created == 1)
        winner = text;
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(created, 1);
  EXPECT_EQ(*readFile(path), winner + "!");
  EXPECT_EQ(countFiles(folder), 1u);
  ASSERT_EQ(symlink("nowhere", dangling.c_str()), 0);
  EXPECT_FALSE(*createFile(dangling, {"x"}));
  Result<bool> is = createFile(folder / "no/file", {"x"});
  EXPECT_EQ(is.status().code(), ErrorCode::IoError);
}

TEST(Files, LinksStay) {
  TestFolder folder;
  folder.write("file", "old");
  std::string link = folder / "link";
  ASSERT_EQ(symlink("file", link.c_str()), 0);
  ASSERT_TRUE(writeFile(link, {"new"}).ok());
  EXPECT_EQ(typeOf(link), mode_t(S_IFLNK));
  EXPECT_EQ(*readFile(folder / "file"), "new");
}

/// And devices such as /dev/null, which a program that runs as root could
/// replace; so could this test.
TEST(Files, PipesAreWrittenTo) {
  TestFolder folder;
  std::string pipe = folder / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  std::string got;
  std::thread reader([&] {
    int file = open(pipe.c_str(), O_RDONLY);
    char bytes[100];
    for (ssize_t size; (size = read(file, bytes, sizeof(bytes))) > 0;)
      got.append(bytes, static_cast<size_t>(size));
    close(file);
  });
  EXPECT_TRUE(writeFile(pipe, {"to ", "the pipe"}).ok());
  reader.join();
  EXPECT_EQ(got, "to the pipe");
  EXPECT_EQ(typeOf(pipe), mode_t(S_IFIFO));
}

/// Beside its own name, so that a rename can put it there.
TEST(Files, FoldersAreMadeInTheirPlace) {
  TestFolder folder;
  std::filesystem::path before = std::filesystem::current_path();
  for (std::string parent :
       {folder.path(), std::string("."), std::string("a/b")}) {
    std::filesystem::current_path(folder.path());
    std::string path = parent + "/new";
    {
      Result<NewFolder> dropped = NewFolder::create(path);
      ASSERT_TRUE(dropped.ok()) << dropped.status().message();
      EXPECT_TRUE(std::filesystem::equivalent(
          std::filesystem::path(dropped->path()).parent_path(), parent));
    }
    EXPECT_FALSE(std::filesystem::exists(path));
    Result<NewFolder> made = NewFolder::create(path + "/");
    ASSERT_TRUE(made.ok()) << made.status().message();
    // A program may go elsewhere meanwhile.
    std::filesystem::current_path("/");
    ASSERT_TRUE(writeFile(made->path() + "/file", {"text"}).ok());
    Status status = made->commit();
    ASSERT_TRUE(status.ok()) << status.message();
    std::filesystem::current_path(folder.path());
    EXPECT_EQ(*readFile(path + "/file"), "text");
    EXPECT_EQ(NewFolder::create(path).status().code(),
              ErrorCode::InvalidArgument);
    std::filesystem::remove_all(path);
  }
  std::filesystem::current_path(before);
}

} // namespace
