//===- nibble/Table.h - Results for people and for machines ---------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One set of rows, printed as an aligned table or as a JSON array of objects.
//
//===----------------------------------------------------------------------===//

#ifndef NIBBLE_TOOLS_TABLE_H
#define NIBBLE_TOOLS_TABLE_H

#include "llvm/Support/JSON.h"
#include <string>
#include <vector>

namespace nibble::tool {

/// `text` with control characters, others that show nothing of themselves, and
/// what is no UTF-8 as `\xNN`, byte by byte: names come from files that anyone
/// may have written, and a terminal acts on some.
std::string printable(llvm::StringRef text);

/// One value: for the table as `text`, for JSON as `value`.
struct Cell {
  std::string text;
  llvm::json::Value value;
  Cell(std::string text) : text(text), value(text) {}
  Cell(std::string text, llvm::json::Value value)
      : text(std::move(text)), value(std::move(value)) {}
  Cell(int64_t number) : text(std::to_string(number)), value(number) {}
};

/// Rows under headings.
class Table {
public:
  /// `heading` for people, `key` for machines.
  struct Column {
    std::string heading, key;
    bool leftAligned = false;
  };
  explicit Table(std::vector<Column> columns) : columns(std::move(columns)) {}

  void add(std::vector<Cell> row) { rows.push_back(std::move(row)); }
  std::string text() const;
  std::string json() const;

private:
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;
};

/// A line on stderr about work under way, where stderr is a terminal; replaced
/// by the next one, and gone when this goes.
class Progress {
public:
  ~Progress();
  void show(const std::string &line);

private:
  bool shown = false;
};

/// `value` with `digits` digits behind the point.
std::string fixed(double value, int digits);

} // namespace nibble::tool

#endif // NIBBLE_TOOLS_TABLE_H
