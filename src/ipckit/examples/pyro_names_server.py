"""Serve the doubling service under a name, and the name server as well.

Where one runs already, as `pyro5-ns` or `ipckit pyro5-ns`, the address alone is all there is to do.

$ python -m ipckit.examples.pyro_names_server PYRONAME:doubler@127.0.0.1:0
ready PYRONAME:doubler@127.0.0.1:PORT
"""

import signal
import sys

import ipckit
from ipckit.examples.doubler import Doubler
from ipckit.pyro import NameServer


def main(address: str = "PYRONAME:doubler@127.0.0.1:0") -> None:
    port = int(address.rpartition(":")[2])
    with NameServer(port) as names:
        named = names.named("doubler")
        with ipckit.serve(Doubler(), named) as server:
            print("ready", named, flush=True)
            server.wait()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
