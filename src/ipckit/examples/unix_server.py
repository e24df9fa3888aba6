"""Serve the calculator on a Unix socket: a file that only this user may connect to.

For programs of one machine; the kernel tells who the peer is, so there is no password.

$ python -m ipckit.examples.unix_server unix:calculator.sock
ready unix:calculator.sock
"""

import signal
import sys

import ipckit
from ipckit.examples.calculator import Calculator


def main(address: str = "unix:calculator.sock") -> None:
    with ipckit.serve(Calculator(), address) as server:
        print("ready", server.address, flush=True)
        server.wait()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
