"""Compiles each public header by itself, without LLVM's folders.

Usage: headers.py INCLUDE_FOLDER C++_COMPILER C_COMPILER
"""
import pathlib
import re
import subprocess
import sys

folder = pathlib.Path(sys.argv[1])
as_cxx, as_c = [sys.argv[2], "-std=c++20", "-x", "c++"], [sys.argv[3], "-std=c99", "-Wextra", "-pedantic", "-x", "c"]
headers = sorted(folder.glob("nibble/*.h"))
assert len(headers) >= 7, headers
for header in headers:
    text = header.read_text()
    for name in re.findall(r'#include [<"]([^>"]+)', text):
        assert not re.match(r"(llvm|mlir|clang|cuda)", name), (header, name)
    assert not re.search(r"\b(llvm|mlir)::|\bCU[a-z]", text), header
    for command in [as_cxx, as_c] if header.name == "nibble.h" else [as_cxx]:
        subprocess.run(command + ["-Wall", "-Werror", "-fsyntax-only", "-I", str(folder),
                                  str(header), "-Wno-pragma-once-outside-header"],
                       check=True)
