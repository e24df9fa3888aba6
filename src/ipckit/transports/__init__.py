r"""Bytes without calls: streams and datagrams over tcp, unix, udp, pipes and TLS.

with transports.connect("tcp://127.0.0.1:7", timeout=5) as stream:          # a stream
    stream.send(b"hello\n")
    print(stream.receive_line())
with transports.bind("udp://127.0.0.1:0") as datagrams:                     # datagrams
    datagrams.send(b"hello", to="udp://127.0.0.1:7")
    print(datagrams.receive(timeout=5))

`transports.aio` has the same for asyncio. Every error is of ipckit's tree.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ipckit.transports import aio
    from ipckit.transports._connected import PeerCredentials
    from ipckit.transports.datagrams import Datagram, Datagrams, bind, connect_datagrams
    from ipckit.transports.streams import ByteStream, StreamListener, connect, listen
    from ipckit.transports.tls import Tls

__all__ = [
    "ByteStream",
    "Datagram",
    "Datagrams",
    "PeerCredentials",
    "StreamListener",
    "Tls",
    "aio",
    "bind",
    "connect",
    "connect_datagrams",
    "listen",
]

_HOME = {
    "ByteStream": "streams",
    "Datagram": "datagrams",
    "Datagrams": "datagrams",
    "PeerCredentials": "_connected",
    "StreamListener": "streams",
    "Tls": "tls",
    "bind": "datagrams",
    "connect": "streams",
    "connect_datagrams": "datagrams",
    "listen": "streams",
}


def __getattr__(name: str) -> Any:
    if name == "aio":
        return import_module("ipckit.transports.aio")
    if name in _HOME:
        return getattr(import_module(f"ipckit.transports.{_HOME[name]}"), name)
    raise AttributeError(f"module 'ipckit.transports' has no attribute {name!r}")
