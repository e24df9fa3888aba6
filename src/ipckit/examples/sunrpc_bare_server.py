"""Serve the two operations of simp.x over Sun RPC with `socketserver` and `struct` alone.

It takes any caller, and a record as long as the peer likes: for trusted peers on the loopback.

$ python -m ipckit.examples.sunrpc_bare_server sunrpc://127.0.0.1:0
ready sunrpc://127.0.0.1:PORT
"""

import signal
import socketserver
import struct
import sys
from typing import Final
from urllib.parse import urlsplit

PROGRAM: Final = 555555555
VERSION: Final = 1
NULL, ADD, SUB = 0, 1, 2
LAST: Final = 0x80000000
SUCCESS, PROG_UNAVAIL, PROG_MISMATCH, PROC_UNAVAIL, GARBAGE_ARGS, SYSTEM_ERR = range(6)


def answer(program: int, version: int, procedure: int, arguments: bytes) -> tuple[int, bytes]:
    """Return how it went, and the result in XDR."""
    if program != PROGRAM:
        return PROG_UNAVAIL, b""
    if version != VERSION:
        return PROG_MISMATCH, struct.pack(">2I", VERSION, VERSION)
    if procedure == NULL:  # which every program has, to be asked whether it is there
        return SUCCESS, b""
    if procedure not in (ADD, SUB):
        return PROC_UNAVAIL, b""
    try:
        x, y = struct.unpack(">2i", arguments)
    except struct.error:
        return GARBAGE_ARGS, b""
    try:
        return SUCCESS, struct.pack(">i", x + y if procedure == ADD else x - y)
    except struct.error:  # the result has more than 32 bits
        return SYSTEM_ERR, b""


class Peer(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self) -> None:
        while record := self.record():
            # An xid, a call's mark (0), the version of RPC (2), and what is called.
            xid, _, _, program, version, procedure = struct.unpack_from(">6I", record)
            start = 24
            for _ in ("credentials", "verifier"):  # each a flavour, a size, so many octets
                _, size = struct.unpack_from(">2I", record, start)
                start += 8 + size
            outcome, result = answer(program, version, procedure, record[start:])
            # The same xid, a reply's mark, accepted, and a verifier of AUTH_NONE.
            reply = struct.pack(">6I", xid, 1, 0, 0, 0, outcome) + result
            self.wfile.write(struct.pack(">I", LAST | len(reply)) + reply)

    def record(self) -> bytes:
        record, mark = b"", b"\0"
        while not mark[0] & 0x80 and (mark := self.rfile.read(4)):
            record += self.rfile.read(int.from_bytes(mark) & ~LAST)
        return record


def main(address: str = "sunrpc://127.0.0.1:0") -> None:
    url = urlsplit(address)
    place = (url.hostname or "127.0.0.1", url.port or 0)
    with socketserver.ThreadingTCPServer(place, Peer) as server:
        server.daemon_threads = True
        host, port = server.socket.getsockname()
        print(f"ready sunrpc://{host}:{port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
