"""What both ends of a datagram wire share: one message is one datagram."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from ipckit.errors import LimitExceeded
from ipckit.transports._stream import SocketStream

if TYPE_CHECKING:
    from ipckit._session.wire import Out

__all__ = ["LARGEST", "ROOM", "DatagramStream", "datagram"]

LARGEST: Final = {socket.AF_INET: 65507, socket.AF_INET6: 65527}
"""Octets in one datagram: 65535, less the header of UDP and, of IPv4, that of IP."""
ROOM: Final = 65536
"""What holds any datagram whole."""


class DatagramStream(SocketStream):
    """A connected datagram socket: each read is one datagram, from that peer alone."""

    def __init__(self, sock: socket.socket) -> None:
        self.native = sock
        self.send = sock.send
        self.receive_into = sock.recv_into


def datagram(out: Out, limit: int, name: str) -> bytes:
    """Return a message as one datagram; raises LimitExceeded, with which nothing is sent."""
    data = out if isinstance(out, bytes) else b"".join(out)
    if len(data) > limit:
        raise LimitExceeded(
            f"{name}: a message of {len(data)} octets is over the limit of {limit} for a datagram"
        )
    return data
