"""Send each argument as a datagram; `FIN` ends the printer.

$ python -m ipckit.examples.udp_printer_client udp://127.0.0.1:PORT Hello Café FIN
sent 5 octets
sent 5 octets
sent 3 octets
"""

import sys

from ipckit import transports


def main(address: str, *texts: str) -> None:
    with transports.connect_datagrams(address, timeout=5) as datagrams:
        for text in texts:
            data = text.encode()
            datagrams.send(data)
            print("sent", len(data), "octets")


if __name__ == "__main__":
    main(*sys.argv[1:])
