"""Checks the layer rule and the form of nibble's sources.

Usage: check_sources.py SOURCE_FOLDER
"""
import pathlib
import re
import sys

# What each layer may include besides itself and include/nibble; "llvm" and
# "mlir" stand for their headers, "llvm/Support" for LLVM's Support and ADT.
SUPPORT = "llvm/Support"
MAY_INCLUDE = {
    "Support": {SUPPORT},
    "Layout": {"Support"},
    "Driver": {"Support"},
    "Nibble": {"mlir", "llvm"},
    "Transforms": {"Nibble", "mlir", "llvm"},
    "Conversion": {"Transforms", "Layout", "Nibble", "mlir", "llvm"},
    "Target": {"mlir", "llvm"},
    "Compiler": {"Conversion", "Transforms", "Target", "Nibble", "Support", "mlir", "llvm"},
    "Jit": {"Target", "Driver", "Support", SUPPORT},
    "Model": {"Support", "Layout", SUPPORT},
    "API": {"Jit", "Model", "Layout", "Driver", "Target", "Transforms", "Support", SUPPORT},
}


def kind(include):
    top = include.split("/")[0]
    if top == "llvm":
        return SUPPORT if include.split("/")[1] in ("ADT", "Support") else "llvm"
    return top


def main():
    root = pathlib.Path(sys.argv[1])
    problems, files = [], 0
    folders = [(root / "lib" / layer, layer) for layer in MAY_INCLUDE if layer != "Nibble"]
    folders.append((root / "dialects" / "Nibble", "Nibble"))
    for folder, layer in folders:
        for path in sorted([*folder.glob("*.h"), *folder.glob("*.cpp")]):
            files += 1
            text = path.read_text()
            where = path.relative_to(root)
            if not text.startswith("//===- "):
                problems.append(f"{where}: does not open with a line naming its purpose")
            if "SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception" not in text:
                problems.append(f"{where}: has no licence line")
            lines = text.count("\n")
            if lines > 600:
                problems.append(f"{where}: has {lines} lines")
            for include in re.findall(r'#include "([^"]+)"', text):
                what = kind(include)
                allowed = MAY_INCLUDE[layer] | {layer, "nibble"}
                if "llvm" in allowed:
                    allowed = allowed | {SUPPORT}
                if include in ("EmbeddedKernels.inc", "BuildId.inc") or what in allowed:
                    continue
                problems.append(f"{where}: includes {include}")
    print("\n".join(problems))
    print(f"{files} files, {len(problems)} problems")


if __name__ == "__main__":
    main()
