"""Runs a command that can write no file of more than so many bytes.

Usage: limit_file_size.py BYTES COMMAND [ARGUMENT ...]
"""
import resource
import signal
import subprocess
import sys


def limit():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)


sys.exit(subprocess.run(sys.argv[2:], preexec_fn=limit).returncode)
