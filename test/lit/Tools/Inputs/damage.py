"""Copies a file with a few bytes changed, behind its third line.

Usage: damage.py FROM TO
"""
import random
import sys

data = bytearray(open(sys.argv[1], "rb").read())
begin = 0
for _ in range(3):
    begin = data.index(b"\n", begin) + 1
for place in range(begin, len(data), 2000):
    data[min(place + random.randrange(2000), len(data) - 1)] ^= 1 << random.randrange(8)
open(sys.argv[2], "wb").write(data)
