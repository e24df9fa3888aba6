"""Serve a simulated oscilloscope, whose core channel is that of VXI-11 in idea: SCPI in links.

$ python -m ipckit.examples.sunrpc_scope_server sunrpc://127.0.0.1:0
ready sunrpc://127.0.0.1:PORT
"""

import signal
import sys

import ipckit
from ipckit.examples.oscilloscope import Oscilloscope
from ipckit.examples.scope import SCOPE_CORE_1


def main(address: str = "sunrpc://127.0.0.1:0") -> None:
    with ipckit.serve(Oscilloscope(), address, contract=SCOPE_CORE_1) as server:
        print("ready", server.address, flush=True)
        server.wait()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
