"""Serve a bank whose accounts are objects too: what is returned becomes reachable by itself.

$ python -m ipckit.examples.pyro_factory_server pyro://127.0.0.1:0/bank
ready pyro://127.0.0.1:PORT/bank
"""

import signal
import sys

import ipckit
from ipckit.examples.bank import Bank


def main(address: str = "pyro://127.0.0.1:0/bank") -> None:
    with ipckit.serve(Bank(), address) as server:
        print("ready", server.address, flush=True)
        server.wait()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
