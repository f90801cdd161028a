# Configuration of the tests that run a tool and check what it prints.
import os
import shutil

import lit.formats

config.name = "nibble"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.test_source_root = os.path.dirname(__file__)
config.excludes = ["Inputs"]

bin_dir = os.path.join(config.nibble_build, "bin")
config.environment["PATH"] = os.pathsep.join(
    [bin_dir, config.llvm_tools, os.environ["PATH"]])
config.environment["FILECHECK_OPTS"] = "--enable-var-scope --dump-input-context=20"
# Tests of the cache name a folder of their own.
config.environment["NIBBLE_CACHE"] = "off"

venv = os.path.join(config.nibble_source, ".venv", "bin", "python")
config.substitutions += [
    ("%source", config.nibble_source),
    ("%build", config.nibble_build),
    ("%kernels", os.path.join(config.nibble_source, "kernels")),
    ("%python", venv if os.path.exists(venv) else shutil.which("python3")),
    ("%cxx", config.cxx_compiler),
    ("%cc", config.c_compiler),
]

# `ptxas` comes with the CUDA toolkit and is not needed for anything else.
if shutil.which("ptxas"):
    config.available_features.add("ptxas")
else:
    lit_config.note("ptxas is not on PATH: PTX is checked as text, not assembled")
if shutil.which("ptxas") and shutil.which("nvdisasm"):
    config.available_features.add("nvdisasm")
