"""Call the two operations of simp.x over Sun RPC with `socket` and `struct` alone.

All there is to it: a record is its length, with the highest bit set in the last one of a message;
a message is a header and XDR, in which everything is a row of 4-octet words, highest octet first.

$ python -m ipckit.examples.sunrpc_bare_client sunrpc://127.0.0.1:PORT
ADD(40, 2) = 42
SUB(40, 2) = 38
procedure 3: PROC_UNAVAIL
"""

import itertools
import socket
import struct
import sys
from typing import Final
from urllib.parse import urlsplit

PROGRAM: Final = 555555555
VERSION: Final = 1
ADD: Final = 1
SUB: Final = 2
CALL, REPLY = 0, 1
LAST: Final = 0x80000000
FAILURES: Final = ("PROG_UNAVAIL", "PROG_MISMATCH", "PROC_UNAVAIL", "GARBAGE_ARGS", "SYSTEM_ERR")


class CallFailed(Exception):
    """The server could not run the call."""


class Client:
    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._xids = itertools.count(1)

    def call(self, procedure: int, arguments: bytes) -> bytes:
        xid = next(self._xids)
        who = struct.pack(">4I", 0, 0, 0, 0)  # credentials and verifier: AUTH_NONE, no octets
        message = struct.pack(">6I", xid, CALL, 2, PROGRAM, VERSION, procedure) + who + arguments
        self._socket.sendall(struct.pack(">I", LAST | len(message)) + message)
        reply = self._record()
        if struct.unpack_from(">2I", reply) != (xid, REPLY):
            raise CallFailed("that is no reply to this call")
        denied, _, size = struct.unpack_from(">3I", reply, 8)  # the verifier's flavour and size
        if denied:
            raise CallFailed("MSG_DENIED")
        outcome, *_ = struct.unpack_from(">I", reply, 20 + size)
        if outcome:
            raise CallFailed(FAILURES[outcome - 1])
        return reply[24 + size :]

    def _record(self) -> bytes:
        record, mark = b"", 0
        while not mark & LAST:
            mark, *_ = struct.unpack(">I", self._exactly(4))
            record += self._exactly(mark & ~LAST)
        return record

    def _exactly(self, size: int) -> bytes:
        data = self._socket.recv(size, socket.MSG_WAITALL)
        if len(data) < size:
            raise ConnectionError("the server closed the connection")
        return data


def main(address: str) -> None:
    url = urlsplit(address)
    with socket.create_connection((url.hostname, url.port), timeout=2) as sock:
        client, operands = Client(sock), struct.pack(">2i", 40, 2)
        print("ADD(40, 2) =", *struct.unpack(">i", client.call(ADD, operands)))
        print("SUB(40, 2) =", *struct.unpack(">i", client.call(SUB, operands)))
        try:
            client.call(3, b"")
        except CallFailed as error:
            print("procedure 3:", error)


if __name__ == "__main__":
    main(*sys.argv[1:])
