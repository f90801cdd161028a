"""Checks the layer rule, the form of nibble's sources, and that the name of the
compiler is one of all sources that code depends on.

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
    "Target": {"Support", "mlir", "llvm"},
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


def reachable(layer):
    """The layers that `layer` may depend on, itself among them."""
    found, more = set(), {layer}
    while more:
        found |= more
        more = {each for known in more for each in MAY_INCLUDE[known] if each in MAY_INCLUDE} - found
    return found


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
    build = (root / "lib" / "Compiler" / "CMakeLists.txt").read_text()
    named = re.search(r"foreach\(folder (.*)\)", build).group(1).split()
    for layer in sorted(reachable("Compiler")):
        folder = "dialects" if layer == "Nibble" else f"lib/{layer}"
        if folder not in named:
            problems.append(f"lib/Compiler/CMakeLists.txt: the build's name leaves out {folder}")
    print("\n".join(problems))
    print(f"{files} files, {len(problems)} problems")


if __name__ == "__main__":
    main()
