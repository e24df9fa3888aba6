"""Two versions of a Sun RPC program, and a program that serves them until SIGTERM."""

from __future__ import annotations

import signal
import sys
from typing import Protocol

import ipckit
from ipckit.types import Int32

PROGRAM = 0x20000777


@ipckit.hint("sunrpc", program=PROGRAM, version=1)
class Adder:
    @ipckit.hint("sunrpc", procedure=1)
    def add(self, a: Int32, b: Int32) -> Int32:
        return a + b


@ipckit.hint("sunrpc", program=PROGRAM, version=2)
class Adder2(Adder):
    pass


@ipckit.hint("sunrpc", program=PROGRAM, version=1)
class AsyncAdder(Protocol):
    @ipckit.hint("sunrpc", procedure=1)
    async def add(self, a: Int32, b: Int32) -> Int32: ...


@ipckit.hint("sunrpc", program=PROGRAM + 1, version=1)
class Other(Adder):
    pass


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with ipckit.serve([Adder(), Adder2()], *sys.argv[1:], register=True) as server:
        sys.stdout.write(f"{' '.join(server.addresses)}\n")
        sys.stdout.flush()
        server.wait()
