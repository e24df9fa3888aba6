"""Serve the doubling service to Pyro5 clients: any class with annotations will do.

$ python -m ipckit.examples.pyro_doubler_server pyro://127.0.0.1:0/doubler
ready pyro://127.0.0.1:PORT/doubler
"""

import signal
import sys

import ipckit
from ipckit.examples.doubler import Doubler


def main(address: str = "pyro://127.0.0.1:0/doubler") -> None:
    with ipckit.serve(Doubler(), address) as server:
        print("ready", server.address, flush=True)
        server.wait()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
