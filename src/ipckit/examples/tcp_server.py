"""Serve the calculator over TCP as MessagePack-RPC, which libraries of twenty languages speak.

For peers on other machines, or in other languages; add TLS (tcp_tls_server) beyond the loopback.

$ python -m ipckit.examples.tcp_server tcp://127.0.0.1:0
ready tcp://127.0.0.1:PORT
"""

import signal
import sys

import ipckit
from ipckit.examples.calculator import Calculator


def main(address: str = "tcp://127.0.0.1:0") -> None:
    with ipckit.serve(Calculator(), address) as server:
        print("ready", server.address, flush=True)
        server.wait()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
