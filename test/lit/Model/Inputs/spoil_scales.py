"""Makes two scales of a layer infinite and not a number.

Usage: spoil_scales.py FOLDER LAYER
"""
import glob
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

for path in glob.glob(sys.argv[1] + "/*.safetensors"):
    tensors = load_file(path)
    if (scales := tensors.get(sys.argv[2] + ".scales")) is not None:
        scales[0, 3], scales[1, 7] = np.inf, np.nan
        save_file(tensors, path)
