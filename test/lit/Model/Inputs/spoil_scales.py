"""Makes two scales of a layer infinite and not a number.

Usage: spoil_scales.py FOLDER LAYER
"""
import glob
import json
import sys

import numpy as np

for path in glob.glob(sys.argv[1] + "/*.safetensors"):
    with open(path, "r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        entry = json.loads(file.read(length)).get(sys.argv[2] + ".scales")
        if entry:
            assert entry["dtype"] == "F16", entry
            begin = 8 + length + entry["data_offsets"][0]
            columns = entry["shape"][1]
            for row, column, value in ((0, 3, np.inf), (1, 7, np.nan)):
                file.seek(begin + 2 * (row * columns + column))
                file.write(np.float16(value).tobytes())
