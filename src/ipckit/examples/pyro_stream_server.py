"""Serve an endless stream: a generator is served like any other method.

$ python -m ipckit.examples.pyro_stream_server pyro://127.0.0.1:0/primes
ready pyro://127.0.0.1:PORT/primes
"""

import signal
import sys

import ipckit
from ipckit.examples.primes import Primes


def main(address: str = "pyro://127.0.0.1:0/primes") -> None:
    with ipckit.serve(Primes(), address) as server:
        print("ready", server.address, flush=True)
        server.wait()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
