"""Compares the functions that nibble.h declares with those that the library
exports.

Usage: nm -D --defined-only LIBRARY | c_functions.py NIBBLE_H
"""
import pathlib
import re
import sys

text = re.sub(r"//.*", "", pathlib.Path(sys.argv[1]).read_text())
declared = set(re.findall(r"NIBBLE_EXPORT\s+[\w\s*]*?\b(nibble_\w+)\s*\(", text))
# Whatever looks like a function is exported.
called = set(re.findall(r"\b(nibble_\w+)\s*\(", text))
exported = {line.split()[-1] for line in sys.stdin}
exported = {name for name in exported if name.startswith("nibble_")}
for problem, names in (("not marked NIBBLE_EXPORT", called - declared), ("not exported", declared - exported),
                       ("not declared", exported - declared)):
    for name in sorted(names):
        print(f"{name} is {problem}")
print(f"{len(declared)} functions")
