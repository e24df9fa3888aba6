"""Serve the calculator to CORBA programs, which need its IDL: calculator.idl beside this file.

$ python -m ipckit.examples.corba_server corba://127.0.0.1:0/Calculator
ready corba://127.0.0.1:PORT/Calculator
"""

import signal
import sys

import ipckit
from ipckit.examples.calculator import Calculator


def main(address: str = "corba://127.0.0.1:0/Calculator") -> None:
    with ipckit.serve(Calculator(), address) as server:
        print("ready", server.address, flush=True)
        server.wait()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
