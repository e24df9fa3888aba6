"""Send each argument as a datagram; `FIN` ends the printer.

$ python -m ipckit.examples.udp_printer_bare_client udp://127.0.0.1:PORT Hello Café FIN
sent 5 octets
sent 5 octets
sent 3 octets
"""

import socket
import sys
from urllib.parse import urlsplit


def main(address: str, *texts: str) -> None:
    url = urlsplit(address)
    family, kind, _, _, name = socket.getaddrinfo(url.hostname, url.port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as sock:
        # A connected datagram socket is told when nobody listens: the next send raises.
        sock.connect(name)
        for text in texts:
            print("sent", sock.send(text.encode()), "octets")


if __name__ == "__main__":
    main(*sys.argv[1:])
