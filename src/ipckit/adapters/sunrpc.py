"""Sun RPC, RFC 5531, with XDR, RFC 4506: over TCP, UDP and Unix sockets.

    sunrpc://host:port/PROGRAM/VERSION      no port: the host's port mapper is asked
    sunrpc+udp://host:port/PROGRAM/VERSION
    sunrpc+unix:///path?program=PROGRAM&version=VERSION

Peers are what rpcgen makes, in C and in Python. The numbers may be left out where the contract
hints at them; a contract that does not is one of ours, by default program 0x20000000 version 1.
`?rpcbind=` is the port of the port mapper, 111 if not given; `?auth=sys` says in each call who
calls: this process, or the `uid`, `gid`, `gids` and `machine` that are given. What a servant of an
imported contract raises is SYSTEM_ERR, for which its .x has no words. A call over UDP is
sent again, with the same xid, until it is answered; a server runs it once. Limits:
`ipckit.transports.Limits`; over UDP a message is one datagram.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from ipckit._capabilities import Capabilities
from ipckit._deadline import within
from ipckit._session.client import ClientSession
from ipckit._session.datagram_client import DatagramSession
from ipckit._session.datagram_server import DatagramServer
from ipckit._session.server import StreamServer
from ipckit._session.sunrpc_address import (
    Version,
    hinted_numbers,
    is_ours,
    is_udp,
    is_unplaced,
    means,
    numbers_in,
    placed,
    version_of,
)
from ipckit._session.sunrpc_wire import asking_wire, serving_wire
from ipckit.errors import ContractError, IpcError
from ipckit.protocols import sunrpc

__all__ = [
    "CAPABILITIES",
    "HINTS",
    "aio_connect",
    "aio_serve",
    "connect",
    "directory",
    "explain",
    "means",
    "misfits",
    "serve",
]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ipckit._address import Address
    from ipckit._contract import Contract, Operation
    from ipckit._dispatch import Dispatcher
    from ipckit._options import Options
    from ipckit._portmapper.listing import Listing
    from ipckit._proxy import Channel
    from ipckit._registry import AdapterServer
    from ipckit._session.aio_channel import AioChannel
    from ipckit._session.aio_runner import Runner
    from ipckit._session.aio_server import AioServer
    from ipckit.protocols.sunrpc_explain import Line

HINTS: Final = ("program", "version", "procedure", "program_name", "version_name", "name")
"""What a contract and its operations may say: numbers, and names where Python's are others."""

_TCP: Final = Capabilities(
    integers=(-(2**63), 2**64 - 1),
    plain_integers=(-(2**63), 2**63 - 1),
    fault_text="ours",
    fault_details="ours",
    signals=None,
    discovery="listed",
    reverse_calls=False,
    many_servants=True,
    registration=True,
    admission=True,
    variants=False,
    untyped=False,
)
CAPABILITIES: Final[Mapping[str, Capabilities]] = {
    "tcp": _TCP,
    "udp": replace(_TCP, datagram=65507),
    "unix": replace(_TCP, peer_credentials=True, registration=False, discovery=False),
}


def serve(dispatcher: Dispatcher, address: Address, options: Options) -> AdapterServer:
    """Serve at the address; returns at once."""
    server = _opened(dispatcher, address, options)
    if not options.register:
        return server
    from ipckit._portmapper.listing import ListedServer

    return ListedServer(server, _lister(dispatcher, address))


def connect(address: Address, options: Options, dispatcher: Dispatcher | None) -> Channel:
    """Return a channel to the peer, whose port the port mapper tells if the address does not."""
    wire = asking_wire(address, options)
    session = DatagramSession if is_udp(address) else ClientSession
    if not is_unplaced(address):
        return session(wire, address, options)
    from ipckit._portmapper import asking

    with within(options.timeout):
        there = _located(address, options)
        with asking.told(*_asked_for(address, options)):
            channel = session(wire, there, options)
            if is_udp(address):
                asking.refuse_deserted(channel, there)
            return channel


def aio_serve(runner: Runner, address: Address, options: Options) -> AioServer:
    """Serve at the address on the running loop; datagrams are served by threads."""
    server = _aio_opened(runner, address, options)
    if not options.register:
        return server
    from ipckit._portmapper.aio import ListedAioServer

    return ListedAioServer(server, _lister(runner.dispatcher, address))


async def aio_connect(address: Address, options: Options, runner: Runner | None) -> AioChannel:
    """Return a channel for coroutines; threads send datagrams, and ask the port mapper."""
    from ipckit._session import aio_client, aio_threads

    if is_udp(address):
        return await aio_threads.connect(connect, address, options, runner)
    wire = asking_wire(address, options)
    if not is_unplaced(address):
        return await aio_client.connect(wire, address, options, runner)
    from ipckit._portmapper import aio, asking

    with within(options.timeout):
        there = await aio.in_a_thread(_located, address, options)
        with asking.told(*_asked_for(address, options)):
            return await aio_client.connect(wire, there, options, runner)


def directory(address: Address, options: Options) -> list[dict[str, Any]] | None:
    """Return what the port mapper of a host lists, where the address names no server."""
    if not is_unplaced(address) or numbers_in(address) is not None:
        return None
    from ipckit._portmapper import directory as listed

    return listed.directory(connect, address, options.timeout)


# Servers, listed or not, and where the others are


def _opened(dispatcher: Dispatcher, address: Address, options: Options) -> AdapterServer:
    wire = serving_wire(dispatcher, address, options)
    server = DatagramServer if is_udp(address) else StreamServer
    return server(wire, placed(address), options, dispatcher)


def _aio_opened(runner: Runner, address: Address, options: Options) -> AioServer:
    from ipckit._session import aio_server, aio_threads

    if is_udp(address):
        return aio_threads.ThreadServer(_opened, runner, address, options)
    wire = serving_wire(runner.dispatcher, address, options)
    return aio_server.AioStreamServer(wire, placed(address), options, runner)


def _lister(dispatcher: Dispatcher, address: Address) -> Callable[[Address], Listing]:
    """Return what lists a server's programs with the port mapper once its port is known."""
    from ipckit._portmapper.listing import Listing

    served = [version_of(one.contract, address) for one in (dispatcher, *dispatcher.beside)]
    return lambda bound: Listing(connect, bound, served)


def _located(address: Address, options: Options) -> Address:
    from ipckit._portmapper import asking

    return asking.located(connect, address, *_asked_for(address, options), options.timeout)


def _asked_for(address: Address, options: Options) -> Version:
    assert options.contract is not None
    return version_of(options.contract, address)


def misfits(contract: Contract) -> Iterator[str]:
    """Yield one sentence for each thing in the contract that has no form in Sun RPC."""
    for name, operation in contract.operations.items():
        try:
            sunrpc.ServerOperation(operation, f"{contract.name}.{name}", faults=is_ours(contract))
        except IpcError as error:
            yield str(error)
    for numbers in (hinted_numbers, sunrpc.procedure_numbers):
        try:
            numbers(contract)
        except ContractError as error:
            yield str(error)


def explain(
    contract: Contract, operation: Operation, asked: bytes, answered: bytes
) -> tuple[list[Line], list[Line]]:
    """Return what the octets of one call over TCP stand for, and those of its reply."""
    from ipckit.protocols import sunrpc_explain

    faults = is_ours(contract)
    reply = sunrpc_explain.reply(operation, answered, faults=faults)
    return sunrpc_explain.call(operation, asked), reply
