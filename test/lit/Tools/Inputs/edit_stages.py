"""Edits dumped stages as a person would, one stage a folder.

Usage: edit_stages.py DUMP_FOLDER OUTPUT_FOLDER
"""
import pathlib
import sys

dumped, out = map(pathlib.Path, sys.argv[1:])
(kernel,) = dumped.iterdir()


def give(case, file, text):
    folder = out / case / kernel.name
    folder.mkdir(parents=True)
    (folder / file).write_text(text)


def replaced(file, old, new):
    text = (kernel / file).read_text()
    assert old in text, (file, old)
    return text.replace(old, new)


FUNCTION = "\ndefine void @added() noinline {\n  ret void\n}\n"
give("specialise", "specialise.mlir", replaced("specialise.mlir", "splat 0.000000e+00", "splat 1.250000e+00"))
give("schedule", "schedule.mlir", replaced("schedule.mlir", "reqntid = array<i32: 128>", "reqntid = array<i32: 96>"))
give("lower", "lower.mlir", replaced("lower.mlir", "  llvm.func @matmul_248",
                                     "  llvm.func @added() {\n    llvm.return\n  }\n  llvm.func @matmul_248"))
for stage in ("llvm", "optimise"):
    give(stage, f"{stage}.ll", (kernel / f"{stage}.ll").read_text() + FUNCTION)
give("ptx", "ptx.ptx", (kernel / "ptx.ptx").read_text() + "// edited by hand\n")
give("broken", "schedule.mlir", "nonsense")
give("broken-llvm", "llvm.ll", "nonsense")
