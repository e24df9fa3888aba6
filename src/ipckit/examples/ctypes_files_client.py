"""Write a file with C's own fopen, fputs and fclose.

A `Handle` is a pointer that only C looks behind. `errno` says what C takes for a failure.

$ python -m ipckit.examples.ctypes_files_client ctypes:libc.so.6
the file holds 'Hello, Wörld'
fopen("no/such/file"): ENOENT: No such file or directory
"""

import sys
from pathlib import Path
from typing import Protocol

import ipckit
from ipckit.types import Handle


class Files(Protocol):
    @ipckit.hint("ctypes", errno="null")
    def fopen(self, path: str, mode: str) -> Handle: ...
    @ipckit.hint("ctypes", errno="negative")
    def fputs(self, text: str, file: Handle) -> None: ...
    @ipckit.hint("ctypes", errno="nonzero")
    def fclose(self, file: Handle) -> None: ...


def main(address: str) -> None:
    with ipckit.connect(Files, address) as libc:
        file = libc.fopen("greeting.txt", "w")
        libc.fputs("Hello, Wörld", file)
        libc.fclose(file)
        print("the file holds", repr(Path("greeting.txt").read_text(encoding="utf-8")))
        try:
            libc.fopen("no/such/file", "r")
        except ipckit.Fault as fault:
            print('fopen("no/such/file"):', fault)


if __name__ == "__main__":
    main(*sys.argv[1:])
