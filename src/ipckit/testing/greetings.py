"""What clients of a mechanism ask before their first call, and a played server answers.

Pyro's introduce themselves (CONNECT), and are told what the object has; so must whoever repeats a
call of theirs.

CORBA's ask an object whether it has the interface of their contract (`_is_a`). The answer is
written by hand: GIOP 1.2, little-endian (CORBA 3.3 part 2, section 9.4).

    47 49 4f 50 | 01 02 | 01 | 01 | 0d 00 00 00     GIOP, version, flags, Reply, octets that follow
    request id  | 00 00 00 00 | 00 00 00 00 | 01    no exception, no service contexts, TRUE
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipckit._registry import Row
    from ipckit.testing.raw import Peer

__all__ = ["Greeting", "greeting"]


class Greeting(NamedTuple):
    """What `answer` plays; `repeated` says whether it is a part of what is recorded as asked."""

    answer: Callable[[Peer], None]
    repeated: bool = False


def greeting(row: Row) -> Greeting | None:
    """Return what answers a client that has just come, or None where clients begin to call."""
    return _GREETINGS.get(row.mechanism)


def _has_the_interface(peer: Peer) -> None:
    request = peer.receive()
    identity = request[12:16]
    peer.send(b"GIOP\1\2\1\1" + b"\x0d\0\0\0" + identity + bytes(8) + b"\1")


def _lets_in(peer: Peer) -> None:
    peer.receive()
    data = b"{'handshake': 'hello', 'meta': {}}"
    form, size, nobody = "!4sHBBHHII16sHH", len(data), bytes(16)
    head = struct.pack(form, b"PYRO", 502, 2, 1, 0, 0, size, 0, nobody, 0, 0x4DC5)
    peer.send(head + data)


_GREETINGS: Final[dict[str, Greeting]] = {
    "corba": Greeting(_has_the_interface),
    "pyro": Greeting(_lets_in, repeated=True),
}
