"""Call a C library in a process of its own, and live on when it crashes.

$ python -m ipckit.examples.ctypes_pipe_client "pipe:python -m ipckit.examples.ctypes_pipe_server"
abs(-3) = 3
it crashed: ConnectionLost
a new one: abs(-4) = 4
"""

import signal
import sys
from typing import Protocol

import ipckit
from ipckit.types import Int32


class Library(Protocol):
    def abs(self, number: Int32) -> Int32: ...
    def fail(self, signal: Int32) -> Int32: ...


def main(address: str) -> None:
    with ipckit.connect(Library, address) as libc:
        print("abs(-3) =", libc.abs(-3))
        try:
            libc.fail(signal.SIGSEGV)
        except ipckit.ConnectionLost as error:
            print("it crashed:", type(error).__name__)
    with ipckit.connect(Library, address) as libc:
        print("a new one: abs(-4) =", libc.abs(-4))


if __name__ == "__main__":
    main(*sys.argv[1:])
