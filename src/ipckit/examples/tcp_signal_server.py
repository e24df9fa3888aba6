"""Serve a calculator that announces every sum: a signal is a notification on the same connection.

$ python -m ipckit.examples.tcp_signal_server tcp://127.0.0.1:0
ready tcp://127.0.0.1:PORT
"""

import signal
import sys

import ipckit
from ipckit.examples.calculator import AnnouncingCalculator


def main(address: str = "tcp://127.0.0.1:0") -> None:
    with ipckit.serve(AnnouncingCalculator(), address) as server:
        print("ready", server.address, flush=True)
        server.wait()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
