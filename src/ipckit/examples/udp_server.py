"""Serve the calculator over UDP: MessagePack-RPC, one message a datagram.

For small calls to many peers, without connections. A repeated request is answered from a cache and
not run again, so a call happens at most once; what exceeds a datagram is refused before it is sent.

$ python -m ipckit.examples.udp_server udp://127.0.0.1:0
ready udp://127.0.0.1:PORT
"""

import signal
import sys

import ipckit
from ipckit.examples.calculator import Calculator


def main(address: str = "udp://127.0.0.1:0") -> None:
    with ipckit.serve(Calculator(), address) as server:
        print("ready", server.address, flush=True)
        server.wait()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
