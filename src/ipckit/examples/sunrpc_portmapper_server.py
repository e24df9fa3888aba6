"""Run a port mapper, for machines without rpcbind, and list a server with it.

It listens on TCP and UDP alike. With rpcbind, on port 111, `register=True` is all there is to do.

$ python -m ipckit.examples.sunrpc_portmapper_server sunrpc://127.0.0.1:0
ready sunrpc://127.0.0.1:PORT
"""

import signal
import sys
from urllib.parse import urlsplit

import ipckit
from ipckit import rpcbind
from ipckit.examples.simp import SIMP_VERSION
from ipckit.examples.sunrpc_server import Simp


def main(address: str = "sunrpc://127.0.0.1:0") -> None:
    with rpcbind.serve(urlsplit(address).port or 0) as mapper:
        port = urlsplit(mapper.address).port
        place = f"sunrpc://127.0.0.1:0?rpcbind={port}"
        with ipckit.serve(Simp(), place, contract=SIMP_VERSION, register=True) as server:
            print("ready", mapper.address, flush=True)
            server.wait()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
