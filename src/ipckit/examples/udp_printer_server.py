"""Print every datagram that arrives, until one says `FIN`.

A datagram arrives whole or not at all, perhaps twice, perhaps out of order, and whoever sent it is
not told. `udp://[::1]:0` listens on IPv6, and `udp://239.1.2.3:5000` joins a group.

$ python -m ipckit.examples.udp_printer_server udp://127.0.0.1:0
ready udp://127.0.0.1:PORT
5 octets: 'Hello'
5 octets: 'Café'
3 octets: 'FIN'
$
"""

import signal
import sys

from ipckit import transports


def main(address: str = "udp://127.0.0.1:0") -> None:
    with transports.bind(address, timeout=None) as datagrams:
        print("ready", datagrams.address, flush=True)
        data = b""
        while data != b"FIN":
            data = datagrams.receive().data
            print(f"{len(data)} octets: {data.decode(errors='replace')!r}", flush=True)


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
