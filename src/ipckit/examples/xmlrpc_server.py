"""Serve the calculator as XML-RPC over HTTP, for peers that have little more than an HTTP client.

Answers system.listMethods, methodHelp, methodSignature and multicall too. Integers have 32 bits
and there is no None, unless both ends know the extensions `?i8=yes` and `?nil=yes`.

$ python -m ipckit.examples.xmlrpc_server xmlrpc://127.0.0.1:0
ready xmlrpc://127.0.0.1:PORT
"""

import signal
import sys

import ipckit
from ipckit.examples.calculator import Calculator


def main(address: str = "xmlrpc://127.0.0.1:0") -> None:
    with ipckit.serve(Calculator(), address) as server:
        print("ready", server.address, flush=True)
        server.wait()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
