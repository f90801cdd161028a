"""Converts every checkpoint of a folder and checks what comes out.

Usage: convert_all.py FOLDER

FOLDER/from has the checkpoints of make_checkpoints.py. Each is converted to
both formats, and from the first back to the second.
"""
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

CHECK = os.path.join(os.path.dirname(__file__), "..", "..", "..", "fixtures", "check_converted.py")


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, (command, done.stdout, done.stderr)


def convert(root, kind):
    source = os.path.join(root, "from", kind)
    v1, v2, again = (os.path.join(root, kind + end) for end in (".v1", ".v2", ".again"))
    for given, made, fmt in ((source, v1, "gptq"), (source, v2, "gptq_v2"), (v1, again, "gptq_v2")):
        run("nibble", "convert", given, made, "--to", fmt)
        run(sys.executable, CHECK, source, made, fmt)


def main():
    root = sys.argv[1]
    kinds = sorted(os.listdir(os.path.join(root, "from")))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda kind: convert(root, kind), kinds))
    print(f"{3 * len(kinds)} conversions")


if __name__ == "__main__":
    main()
