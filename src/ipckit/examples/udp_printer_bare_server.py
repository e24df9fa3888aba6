"""Print every datagram that arrives, until one says `FIN`.

A datagram arrives whole or not at all, perhaps twice, perhaps out of order, and whoever sent it is
not told. The text comes from outside, so it is printed with its control characters escaped.
`udp://[::1]:0` listens on IPv6.

$ python -m ipckit.examples.udp_printer_bare_server udp://127.0.0.1:0
ready udp://127.0.0.1:PORT
5 octets: 'Hello'
5 octets: 'Café'
3 octets: 'FIN'
$
"""

import signal
import socket
import sys
from urllib.parse import urlsplit

LARGEST = 65535


def main(address: str = "udp://127.0.0.1:0") -> None:
    url = urlsplit(address)
    host = url.hostname or "127.0.0.1"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((host, url.port or 0))
        port = sock.getsockname()[1]
        print(f"ready udp://{f'[{host}]' if ':' in host else host}:{port}", flush=True)
        data = b""
        while data != b"FIN":
            data, _ = sock.recvfrom(LARGEST)
            print(f"{len(data)} octets: {data.decode(errors='replace')!r}", flush=True)


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
