"""Serve the calculator to Pyro5 clients: what the class has is exposed, and nothing beside it.

A plain Pyro5 client needs no more than PYRO:calculator@127.0.0.1:PORT. It gets records as dicts and
declared errors as PyroError, with their fields.

$ python -m ipckit.examples.pyro_server pyro://127.0.0.1:0/calculator
ready pyro://127.0.0.1:PORT/calculator
"""

import signal
import sys

import ipckit
from ipckit.examples.calculator import Calculator


def main(address: str = "pyro://127.0.0.1:0/calculator") -> None:
    with ipckit.serve(Calculator(), address) as server:
        print("ready", server.address, flush=True)
        server.wait()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
