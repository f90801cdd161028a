"""Runs a command whose stderr is a terminal, and prints what that is sent.

Usage: on_terminal.py COMMAND...
"""
import os
import pty
import subprocess
import sys

ours, theirs = pty.openpty()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=theirs)
os.close(theirs)
text = b""
try:
    while piece := os.read(ours, 4096):
        text += piece
except OSError:  # the other end is closed
    pass
print(text.decode().replace("\r", "\n"))
sys.exit(process.wait())
