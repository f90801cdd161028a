//===- Table.cpp - Results for people and for machines --------------------===//
//
// Part of nibble, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Table.h.
//
//===----------------------------------------------------------------------===//

#include "Table.h"
#include "llvm/Support/ConvertUTF.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Unicode.h"
#include "llvm/Support/raw_ostream.h"

using namespace nibble::tool;
using namespace llvm;

std::string nibble::tool::printable(StringRef text) {
  std::string result;
  raw_string_ostream out(result);
  while (!text.empty()) {
    const UTF8 *end = text.bytes_begin();
    UTF32 character = 0;
    if (convertUTF8Sequence(&end, text.bytes_end(), &character,
                            strictConversion) == conversionOK &&
        sys::unicode::isPrintable(static_cast<int>(character))) {
      size_t bytes = static_cast<size_t>(end - text.bytes_begin());
      out << text.take_front(bytes);
      text = text.drop_front(bytes);
      continue;
    }
    // Bytes behind the first of a character begin none, and follow.
    out << "\\x" << format_hex_no_prefix(text.bytes_begin()[0], 2);
    text = text.drop_front();
  }
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
