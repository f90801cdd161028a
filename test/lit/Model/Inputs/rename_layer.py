"""Gives a layer of a checkpoint another name, with Python's escapes in it.

Usage: rename_layer.py FOLDER FROM TO
"""
import glob
import json
import sys

to = sys.argv[3].encode().decode("unicode_escape")
for path in glob.glob(sys.argv[1] + "/*.safetensors"):
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    renamed = {name.replace(sys.argv[2] + ".", to + "."): entry for name, entry in header.items()}
    text = json.dumps(renamed).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + data)
