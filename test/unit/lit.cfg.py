# Runs GoogleTest's programs under lit, one lit test a GoogleTest.
import os

import lit.formats

config.name = "nibble-unit"
config.test_format = lit.formats.GoogleTest(".", "Tests")
config.suffixes = []
config.test_source_root = config.test_exec_root
config.environment["NIBBLE_SOURCE_DIR"] = config.nibble_source
config.environment["NIBBLE_BUILD_DIR"] = config.nibble_build
config.environment["HOME"] = os.environ.get("HOME", "/")
# Every test compiles what it asks for, and leaves nothing outside of its folder.
config.environment["NIBBLE_CACHE"] = "off"
