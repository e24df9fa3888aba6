"""Serve the doubling service under a name, and the naming service as well.

Where one runs already, as omniNames or `ipckit omninames`, the address alone is all there is to do.

$ python -m ipckit.examples.corba_names_server corbaname://127.0.0.1:0/doubler
ready corbaname://127.0.0.1:PORT/doubler
"""

import signal
import sys
from urllib.parse import urlsplit

import ipckit
from ipckit.corba import NameService
from ipckit.examples.doubler import Doubler


def main(address: str = "corbaname://127.0.0.1:0/doubler") -> None:
    url = urlsplit(address)
    with NameService(url.port or 0) as names:
        named = f"{names.address}{url.path}"
        with ipckit.serve(Doubler(), named) as server:
            print("ready", named, flush=True)
            server.wait()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
