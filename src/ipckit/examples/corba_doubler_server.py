"""Serve the doubling service over CORBA; its text is UTF-8, whatever the letters.

$ python -m ipckit.examples.corba_doubler_server corba://127.0.0.1:0/Doubler
ready corba://127.0.0.1:PORT/Doubler
"""

import signal
import sys

import ipckit
from ipckit.examples.doubler import Doubler


def main(address: str = "corba://127.0.0.1:0/Doubler") -> None:
    with ipckit.serve(Doubler(), address) as server:
        print("ready", server.address, flush=True)
        server.wait()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
