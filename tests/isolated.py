"""A C library in a process of its own: `python isolated.py ADDRESS`, served over its pipes."""

import sys

from c_library import Every

import ipckit

with ipckit.connect(Every, sys.argv[1]) as library:
    ipckit.serve(library, "pipe:", contract=Every).wait()
