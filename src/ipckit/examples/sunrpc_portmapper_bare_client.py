"""Ask the port mapper where a program listens, in one datagram there and one back.

Datagrams get lost: the question is asked again, with the same xid, until the answer comes.

$ python -m ipckit.examples.sunrpc_portmapper_bare_client sunrpc://127.0.0.1:PORT
program 555555555 has a port: True
program 555555556 has a port: False
"""

import os
import socket
import struct
import sys
from typing import Final
from urllib.parse import urlsplit

PORT_MAPPER: Final = 100000
GETPORT: Final = 3
SIMP_PROG: Final = 555555555
TRIES: Final = 5


def port_of(program: int, version: int, mapper: tuple[str, int]) -> int:
    """Return the port of TCP that a program listens on, in this version or another, or 0."""
    xid = int.from_bytes(os.urandom(4))
    call = struct.pack(">6I", xid, 0, 2, PORT_MAPPER, 2, GETPORT)
    nobody = struct.pack(">4I", 0, 0, 0, 0)  # credentials and verifier
    wanted = struct.pack(">4I", program, version, socket.IPPROTO_TCP, 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(mapper)
        sock.settimeout(1)
        for _ in range(TRIES):
            sock.send(call + nobody + wanted)
            try:
                # xid, a reply (1), accepted (0), a verifier of two words, success (0), the port
                answered, *head, port = struct.unpack(">7I", sock.recv(1024))
            except (TimeoutError, struct.error):
                continue
            if answered == xid and head == [1, 0, 0, 0, 0]:
                return int(port)
    raise TimeoutError("the port mapper does not answer")


def main(address: str) -> None:
    url = urlsplit(address)
    mapper = url.hostname or "127.0.0.1", url.port or 111
    for program in (SIMP_PROG, SIMP_PROG + 1):
        print(f"program {program} has a port:", port_of(program, 1, mapper) != 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
