"""Serve the two operations of simp.x over Sun RPC, for clients that rpcgen made of it.

`ipckit import simp.x -o simp.py` made the contract, with the numbers that the wire calls it by.

$ python -m ipckit.examples.sunrpc_server sunrpc://127.0.0.1:0
ready sunrpc://127.0.0.1:PORT
"""

import signal
import sys

import ipckit
from ipckit.examples.simp import SIMP_VERSION, operands


class Simp(SIMP_VERSION):
    def ADD(self, arg1: operands) -> int:
        return arg1.x + arg1.y

    def SUB(self, arg1: operands) -> int:
        return arg1.x - arg1.y


def main(address: str = "sunrpc://127.0.0.1:0") -> None:
    with ipckit.serve(Simp(), address, contract=SIMP_VERSION) as server:
        print("ready", server.address, flush=True)
        server.wait()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
