"""Compiles each public header by itself, without LLVM's folders.

Usage: headers.py INCLUDE_FOLDER COMPILER
"""
import pathlib
import re
import subprocess
import sys

folder, compiler = pathlib.Path(sys.argv[1]), sys.argv[2]
headers = sorted(folder.glob("nibble/*.h"))
assert len(headers) >= 7, headers
for header in headers:
    text = header.read_text()
    for name in re.findall(r'#include [<"]([^>"]+)', text):
        assert not re.match(r"(llvm|mlir|clang|cuda)", name), (header, name)
    assert not re.search(r"\b(llvm|mlir)::|\bCU[a-z]", text), header
    for command in ([compiler, "-std=c++20"],):
        subprocess.run(command + ["-Wall", "-Werror", "-fsyntax-only", "-I", str(folder),
                                  "-x", "c++", str(header), "-Wno-pragma-once-outside-header"],
                       check=True)
