"""MessagePack-RPC on the bare transports: memory, pipe, tcp, udp, unix.

The wire is https://github.com/msgpack-rpc/msgpack-rpc/blob/master/spec.md and nothing else, so
Neovim and the libraries of twenty languages are peers. Limits: see `ipckit.transports.Limits`; on
udp a message is one datagram.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ipckit._capabilities import Capabilities
from ipckit._session.client import ClientSession
from ipckit._session.datagram_client import DatagramSession
from ipckit._session.datagram_server import DatagramServer
from ipckit._session.server import StreamServer
from ipckit._session.wire import Wire, by_name, remembered
from ipckit.protocols import msgpackrpc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipckit._address import Address
    from ipckit._dispatch import Dispatcher
    from ipckit._options import Options
    from ipckit._proxy import Channel
    from ipckit._registry import AdapterServer
    from ipckit._session.aio_channel import AioChannel
    from ipckit._session.aio_runner import Runner
    from ipckit._session.aio_server import AioServer

_SERVER: Final = remembered(msgpackrpc.ServerOperation)
WIRE: Final = Wire(
    connection=msgpackrpc.Protocol,
    client=remembered(msgpackrpc.ClientOperation),
    server=_SERVER,
    decode=msgpackrpc.decode,
    notification=msgpackrpc.notification,
    result=msgpackrpc.result,
    failure=msgpackrpc.failure,
    entries=by_name(_SERVER),
)
_INTEGERS: Final = (-(2**63), 2**64 - 1)

CAPABILITIES: Final[Mapping[str, Capabilities]] = {
    "memory": Capabilities(integers=_INTEGERS),
    "pipe": Capabilities(integers=_INTEGERS, connections="one"),
    "tcp": Capabilities(integers=_INTEGERS, tls=True),
    "udp": Capabilities(
        integers=_INTEGERS, datagram=65507, signals="best effort", reverse_calls=False
    ),
    "unix": Capabilities(integers=_INTEGERS, peer_credentials=True),
}

_STREAM: Final = StreamServer, ClientSession
_SESSIONS: Final[Mapping[str, tuple[type[StreamServer | DatagramServer], type[ClientSession]]]] = {
    "memory": _STREAM,
    "pipe": _STREAM,
    "tcp": _STREAM,
    "udp": (DatagramServer, DatagramSession),
    "unix": _STREAM,
}


def serve(dispatcher: Dispatcher, address: Address, options: Options) -> AdapterServer:
    """Serve at the address; returns at once."""
    server, _ = _SESSIONS[address.wire]
    return server(WIRE, address, options, dispatcher)


def connect(address: Address, options: Options, dispatcher: Dispatcher | None) -> Channel:
    """Return a channel to the peer; `dispatcher` answers what the peer calls on this side."""
    one = CAPABILITIES[address.wire].connections == "one"
    _, client = _SESSIONS[address.wire]
    return client(WIRE, address, options, dispatcher, one=one)


def aio_serve(runner: Runner, address: Address, options: Options) -> AioServer:
    """Serve at the address on the running loop; datagrams are served by threads."""
    from ipckit._session import aio_server, aio_threads

    if address.wire == "udp":
        return aio_threads.ThreadServer(serve, runner, address, options)
    return aio_server.AioStreamServer(WIRE, address, options, runner)


async def aio_connect(address: Address, options: Options, runner: Runner | None) -> AioChannel:
    """Return a channel for coroutines; datagrams are sent by threads."""
    from ipckit._session import aio_client, aio_threads

    if address.wire == "udp":
        return await aio_threads.connect(connect, address, options, runner)
    return await aio_client.connect(WIRE, address, options, runner)
