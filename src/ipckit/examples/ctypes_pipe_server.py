"""Hold a C library in a process of its own: if it crashes, the caller lives on.

What `connect` gives is itself a servant, so that a library is passed on as it is.

$ python -m ipckit.examples.ctypes_pipe_server pipe:
ready pipe:
"""

import signal
import sys
from typing import Protocol

import ipckit
from ipckit.types import Int32


class Library(Protocol):
    def abs(self, number: Int32) -> Int32: ...
    @ipckit.hint("ctypes", symbol="raise")
    def fail(self, signal: Int32) -> Int32: ...


def main(address: str = "pipe:") -> None:
    with (
        ipckit.connect(Library, "ctypes:libc.so.6") as libc,
        ipckit.serve(libc, address, contract=Library) as server,
    ):
        print("ready", server.address, file=sys.stderr)
        server.wait()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
