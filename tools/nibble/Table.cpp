//===- Table.cpp - Results for people and for machines --------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Table.h.
//
//===----------------------------------------------------------------------===//

#include "Table.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"

using namespace nibble::tool;
using namespace llvm;

std::string nibble::tool::printable(StringRef text) {
  std::string result;
  raw_string_ostream out(result);
  for (char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out << "\\x" << format_hex_no_prefix(static_cast<uint8_t>(c), 2);
    else
      out << c;
  return result;
}

std::string Table::text() const {
  std::vector<size_t> widths;
  for (size_t i = 0; i < columns.size(); ++i) {
    size_t width = columns[i].heading.size();
    for (const std::vector<Cell> &row : rows)
      width = std::max(width, printable(row[i].text).size());
    widths.push_back(width);
  }
  std::string result;
  raw_string_ostream out(result);
  auto line = [&](auto textOf) {
    std::string line;
    raw_string_ostream lineOut(line);
    for (size_t i = 0; i < columns.size(); ++i) {
      std::string text = textOf(i);
      lineOut << (i ? "  " : "")
              << (columns[i].leftAligned ? left_justify(text, widths[i])
                                         : right_justify(text, widths[i]));
    }
    out << StringRef(line).rtrim() << "\n";
  };
  line([&](size_t i) { return columns[i].heading; });
  for (const std::vector<Cell> &row : rows)
    line([&](size_t i) { return printable(row[i].text); });
  return result;
}

std::string Table::json() const {
  llvm::json::Array array;
  for (const std::vector<Cell> &row : rows) {
    llvm::json::Object object;
    for (size_t i = 0; i < columns.size(); ++i)
      object[columns[i].key] = row[i].value;
    array.push_back(std::move(object));
  }
  std::string result;
  raw_string_ostream(result)
      << formatv("{0:2}\n", llvm::json::Value(std::move(array)));
  return result;
}

Progress::~Progress() {
  if (shown)
    errs() << "\r\x1b[K";
}

void Progress::show(const std::string &line) {
  if (!sys::Process::StandardErrIsDisplayed())
    return;
  errs() << "\r\x1b[K" << printable(line);
  shown = true;
}

std::string nibble::tool::fixed(double value, int digits) {
  std::string text;
  raw_string_ostream(text) << format("%.*f", digits, value);
  return text;
}
