"""Servers and clients of Sun RPC that meet peers made of octets alone, and what they leave."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

from scripted import scripted
from sunrpc_messages import PROGRAM, marked, octets

import ipckit
from ipckit.testing import raw
from ipckit.testing.faces import FACES
from ipckit.testing.rig import eventually
from ipckit.transports.limits import Limits
from ipckit.types import Int32

__all__ = [
    "ADD",
    "PATIENCE",
    "SUM",
    "Server",
    "Tally",
    "call",
    "received",
    "replying",
    "replying_by_udp",
    "serving",
    "tidy",
]

PATIENCE: Final = 20.0
Playing = contextlib.AbstractContextManager[str]
"""Yields the address of a server that is played."""


@ipckit.hint("sunrpc", program=PROGRAM, version=1)
class Tally:
    """Adds, echoes, and counts."""

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()

    def add(self, x: Int32, y: Int32) -> Int32:
        self.runs["add"] += 1
        return x + y

    def echo(self, data: bytes) -> bytes:
        return data

    def make(self, size: Int32) -> bytes:
        return bytes(size)

    @ipckit.oneway
    def note(self, text: str) -> None:
        self.runs[text] += 1


def call(procedure: int, *arguments: int | bytes, xid: int = 7) -> bytes:
    """Return the octets of a call, without a mark."""
    return octets(xid, 0, 2, PROGRAM, 1, procedure, 0, 0, 0, 0, *arguments)


ADD: Final = call(1, 40, 2)
SUM: Final = octets(7, 1, 0, 0, 0, 0, 42)


class Server:
    """A server of ours in this process, by its address."""

    def __init__(self, face: Any, transport: str, servant: Tally, address: str) -> None:
        self.servant = servant
        self.address = address
        self.face: str = face.name
        self._face = face
        self._transport = transport

    def dial(self) -> raw.Peer:
        """Connect a peer that speaks octets."""
        return raw.dial(self.address, self._transport)

    def serves_the_next(self) -> None:
        """See to it that a client of ours is answered."""
        with self._face.connect(Tally, self.address, timeout=30) as proxy:
            assert proxy.add(1, 2) == 3

    def answers(self, request: bytes, reply: bytes) -> None:
        """Send a record on a connection of its own; after its answer a right call is answered."""
        with self.dial() as peer:
            peer.send(marked(request) + marked(ADD))
            assert received(peer) == reply
            assert received(peer) == SUM


@contextlib.contextmanager
def serving(face: str, transport: str, folder: Any, **limits: Any) -> Iterator[Server]:
    """Serve a tally; when all is over, nothing is left."""
    address = f"sunrpc+{transport}://127.0.0.1:0"
    if transport == "unix":
        address = f"sunrpc+unix://{folder}/s"
    servant = Tally()
    with tidy(face):
        server = _face(face).serve(servant, address, limits=Limits(**limits))
        try:
            served = Server(_face(face), transport, servant, str(server.address))
            yield served
            served.serves_the_next()
        finally:
            server.close()


@contextlib.contextmanager
def tidy(face: str) -> Iterator[Any]:
    """Yield a face; afterwards no thread and no descriptor is more than there was."""
    found = _face(face)
    # The loop of a face starts once, and stays.
    with found.connect(Tally, "sunrpc+udp://127.0.0.1:9"):
        pass
    before = _held()
    yield found
    eventually(lambda: _held() <= before)


def _face(name: str) -> Any:
    return next(face for face in FACES if face.name == name)


def _held() -> set[str]:
    """Return the descriptors and threads that there are, but for those that a loop keeps."""
    threads = {f"{thread.name} {thread.ident}" for thread in threading.enumerate()}
    kept = {name for name in threads if name.startswith("asyncio_")}
    return threads - kept | {f"descriptor {name}" for name in os.listdir("/proc/self/fd")}


def received(peer: raw.Peer) -> bytes:
    """Return the next record that a peer is sent, which comes in one fragment."""
    (mark,) = struct.unpack(">I", _exactly(peer.socket, 4))
    assert mark & 0x80000000
    return _exactly(peer.socket, mark & 0x7FFFFFFF)


def _exactly(sock: socket.socket, size: int) -> bytes:
    sock.settimeout(PATIENCE)
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        assert piece, "the connection was closed"
        data += piece
    return data


def replying(act: Callable[[raw.Peer, bytes], object], connections: int = 1) -> Playing:
    """Play a server over TCP: `act` gets each connection, and the xid of its first call."""

    def answer(sock: socket.socket) -> None:
        peer = raw.Peer(sock)
        act(peer, received(peer)[:4])
        peer.half_close()
        peer.until_closed()

    return scripted(answer, scheme="sunrpc", connections=connections)


def replying_by_udp(act: Callable[[socket.socket, bytes, Any], object], calls: int = 1) -> Playing:
    """Play a server over UDP: `act` gets its socket, and the xid and the source of each call."""

    @contextlib.contextmanager
    def play() -> Iterator[str]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            sock.settimeout(PATIENCE)
            thread = threading.Thread(target=answer, args=(sock,))
            thread.start()
            try:
                yield f"sunrpc+udp://127.0.0.1:{sock.getsockname()[1]}"
            finally:
                thread.join(PATIENCE)

    def answer(sock: socket.socket) -> None:
        for _ in range(calls):
            data, source = sock.recvfrom(65536)
            act(sock, data[:4], source)

    return play()
