"""Serve a worker that calls an object of its caller, which came as an argument.

$ python -m ipckit.examples.pyro_callback_server pyro://127.0.0.1:0/worker
ready pyro://127.0.0.1:PORT/worker
"""

import signal
import sys

import ipckit
from ipckit.examples.worker import Worker


def main(address: str = "pyro://127.0.0.1:0/worker") -> None:
    with ipckit.serve(Worker(), address) as server:
        print("ready", server.address, flush=True)
        server.wait()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
